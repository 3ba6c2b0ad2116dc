/* Lists the encoders that this machine has: gst-device-monitor-1.0.
 *
 * A chip's encoders do not come and go, so that they are looked for once, when
 * they are asked for.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsoccaps.h"
#include "gstsocelements.h"

typedef struct
{
  GstDevice parent;
  gchar *factory; /* constant */
} GstSocDevice;

typedef struct
{
  GstDeviceClass parent_class;
} GstSocDeviceClass;

GType gst_soc_device_get_type (void);
G_DEFINE_TYPE (GstSocDevice, gst_soc_device, GST_TYPE_DEVICE);

static GstElement *
gst_soc_device_create_element (GstDevice *device, const gchar *name)
{
  return gst_element_factory_make (((GstSocDevice *)device)->factory, name);
}

static void
gst_soc_device_finalize (GObject *object)
{
  g_free (((GstSocDevice *)object)->factory);
  G_OBJECT_CLASS (gst_soc_device_parent_class)->finalize (object);
}

static void
gst_soc_device_class_init (GstSocDeviceClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gst_soc_device_finalize;
  GST_DEVICE_CLASS (klass)->create_element = gst_soc_device_create_element;
}

static void
gst_soc_device_init (GstSocDevice *device)
{
}

typedef struct
{
  GstDeviceProvider parent;
} GstSocDeviceProvider;

typedef struct
{
  GstDeviceProviderClass parent_class;
} GstSocDeviceProviderClass;

GType gst_soc_device_provider_get_type (void);
G_DEFINE_TYPE (GstSocDeviceProvider, gst_soc_device_provider,
               GST_TYPE_DEVICE_PROVIDER);
GST_DEVICE_PROVIDER_REGISTER_DEFINE (socdeviceprovider, "socdeviceprovider",
                                     GST_RANK_PRIMARY,
                                     gst_soc_device_provider_get_type ());

static GstCaps *
video_caps (const HalInfo *info)
{
  static const struct
  {
    guint cap;
    HalCodec codec;
  } codecs[] = {
    { HAL_CAP_H264, HAL_CODEC_H264 },
    { HAL_CAP_H265, HAL_CODEC_H265 },
    { HAL_CAP_JPEG, HAL_CODEC_JPEG },
  };
  GstCaps *caps = gst_caps_new_empty ();
  guint i;

  for (i = 0; i < G_N_ELEMENTS (codecs); i++) {
    if (info->caps & codecs[i].cap)
      gst_caps_append (caps, gst_soc_caps_of_codec (codecs[i].codec));
  }
  return caps;
}

static GstDevice *
make_device (const HalInfo *info, const GstSocFamily *family,
             const gchar *factory, const gchar *klass, GstCaps *caps)
{
  GstStructure *properties
      = gst_structure_new ("properties", "device.api", G_TYPE_STRING, "soc",
                           "soc.family", G_TYPE_STRING, info->family,
                           "soc.generation", G_TYPE_STRING, info->generation,
                           "soc.version", G_TYPE_STRING, info->version,
                           "soc.library-path", G_TYPE_STRING, info->library_dir,
                           "soc.streams", G_TYPE_UINT, info->max_streams, NULL);
  gchar *name = g_strdup_printf (
      "%s %s%s%s", hal_family_long_name (family->family),
      info->chip[0] != '\0' ? info->chip : info->generation,
      info->chip[0] != '\0' || info->generation[0] != '\0' ? " " : "",
      g_str_has_prefix (klass, "Audio") ? "microphone" : "encoder");
  GstSocDevice *device
      = g_object_new (gst_soc_device_get_type (), "display-name", name, "caps",
                      caps, "device-class", klass, "properties", properties,
                      NULL);

  device->factory = g_strdup (factory);
  gst_structure_free (properties);
  gst_caps_unref (caps);
  g_free (name);
  return GST_DEVICE (device);
}

static GList *
gst_soc_device_provider_probe (GstDeviceProvider *provider)
{
  const gchar *path = g_getenv ("IV_P2P_SOC_LIBRARY_PATH");
  HalEnv env = { .library_path = path };
  GList *devices = NULL;
  guint i;

  for (i = 0; gst_soc_families[i] != NULL; i++) {
    const GstSocFamily *family = gst_soc_families[i];
    HalInfo info;

    if (hal_probe (family->family, &env, &info, NULL) != HAL_OK)
      continue;
    devices = g_list_append (devices,
                             make_device (&info, family, family->video_source,
                                          "Video/Source", video_caps (&info)));
    if (family->audio_source != NULL && (info.caps & HAL_CAP_AUDIO_IN) != 0)
      devices = g_list_append (
          devices,
          make_device (&info, family, family->audio_source, "Audio/Source",
                       gst_caps_from_string ("audio/x-raw, format = S16LE")));
  }
  return devices;
}

static void
gst_soc_device_provider_class_init (GstSocDeviceProviderClass *klass)
{
  GstDeviceProviderClass *provider_class = GST_DEVICE_PROVIDER_CLASS (klass);

  provider_class->probe = gst_soc_device_provider_probe;
  gst_device_provider_class_set_static_metadata (
      provider_class, "SoC Device Provider", "Source/Video/Audio",
      "Lists hardware encoders and microphones of camera chips",
      "the iv-p2p authors <iv-p2p@iv-p2p.invalid>");
}

static void
gst_soc_device_provider_init (GstSocDeviceProvider *provider)
{
}
