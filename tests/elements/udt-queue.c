/* udtsrc's queue: what it keeps while downstream does not keep up. The test is
 * the network.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gst/check/gstcheck.h>

#include "gstudtsrc.h"

#define H264                                                                   \
  "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au"

static GstUdtSrc *
make_source (P2pWireKind kind)
{
  GstUdtSrc *src = g_object_new (GST_TYPE_UDT_SRC, NULL);

  gst_object_ref_sink (src);
  src->latency_us = 200000;
  gst_udt_src_callbacks.opened (NULL, kind, "127.0.0.1:7001", src);
  return src;
}

static void
free_source (GstUdtSrc *src)
{
  gst_udt_src_clear (src);
  gst_object_unref (src);
}

static gboolean
come (GstUdtSrc *src, gsize size, guint16 flags, gint64 arrival_us)
{
  GBytes *payload = g_bytes_new_take (g_malloc0 (size), size);
  P2pWireFrame frame = { .flags = flags,
                         .pts = P2P_WIRE_TIME_NONE,
                         .dts = P2P_WIRE_TIME_NONE,
                         .sent = P2P_WIRE_TIME_NONE };
  gboolean taken = gst_udt_src_callbacks.frame (NULL, payload, &frame,
                                                arrival_us, 0, FALSE, src);

  g_bytes_unref (payload);
  return taken;
}

static guint
count_items (GstUdtSrc *src, GstUdtItemType type)
{
  GList *walk;
  guint count = 0;

  for (walk = src->queue.head; walk != NULL; walk = walk->next)
    count += ((GstUdtItem *)walk->data)->type == type;
  return count;
}

static guint
count_frames (GstUdtSrc *src)
{
  return count_items (src, GST_UDT_ITEM_FRAME);
}

/* What may lose nothing makes the sender wait, and goes on behind it. Messages
 * of no bytes are not free. */
GST_START_TEST (test_lossless)
{
  GstUdtSrc *src = make_source (P2P_WIRE_DATA);
  guint count = 0;

  fail_unless (come (src, 8 << 20, 0, 0));
  fail_if (come (src, 0, 0, 0));
  gst_udt_src_clear (src);
  while (count < 100000 && come (src, 0, 0, 0))
    count++;
  fail_unless (count >= 1000 && count < 10000);
  free_source (src);
}
GST_END_TEST;

/* Of a live stream the oldest go, up to where a decoder can go on. */
GST_START_TEST (test_live)
{
  GstUdtSrc *src = make_source (P2P_WIRE_VIDEO);
  guint i;

  for (i = 0; i < 40; i++)
    fail_unless (come (src, 1 << 20, i % 10 ? P2P_FRAME_DELTA_UNIT : 0, i));
  fail_unless_equals_int (count_frames (src), 10);
  fail_unless (((GstUdtItem *)g_queue_peek_nth (&src->queue, 1))->gap);
  /* Too old for the latency, by those that come now. */
  fail_unless (come (src, 100, 0, 10 * G_USEC_PER_SEC));
  fail_unless_equals_int (count_frames (src), 1);
  free_source (src);
}
GST_END_TEST;

/* Pictures that are not encoded: several wait, whatever their size; one alone
 * always does. */
GST_START_TEST (test_pictures)
{
  GstUdtSrc *src = make_source (P2P_WIRE_VIDEO);
  guint i;

  for (i = 0; i < 3; i++)
    fail_unless (come (src, 1920 * 1080 * 3 / 2, 0, i * 40000));
  fail_unless_equals_int (count_frames (src), 3);
  fail_unless (come (src, 32 << 20, 0, 4 * 40000));
  fail_unless_equals_int (count_frames (src), 1);
  free_source (src);
}
GST_END_TEST;

/* New formats all the time do not pile up either. */
GST_START_TEST (test_formats)
{
  GstUdtSrc *src = make_source (P2P_WIRE_VIDEO);
  guint i;

  for (i = 0; i < 20000; i++) {
    gst_udt_src_callbacks.caps (NULL, H264, src);
    fail_unless (come (src, 0, 0, 0));
  }
  fail_unless (count_items (src, GST_UDT_ITEM_CAPS) < 8000);
  fail_unless (src->bytes < 20 << 20);
  free_source (src);
}
GST_END_TEST;

/* Another PLAYING: what waited through the pause, up to the newest frame that
 * can stand alone, is not shown any more. Of a file all is. */
GST_START_TEST (test_resume)
{
  const P2pWireKind kinds[] = { P2P_WIRE_VIDEO, P2P_WIRE_DATA };
  guint i, k;

  for (k = 0; k < G_N_ELEMENTS (kinds); k++) {
    GstUdtSrc *src = make_source (kinds[k]);
    gint64 now = g_get_monotonic_time ();

    for (i = 0; i < 20; i++)
      fail_unless (come (src, 100, i % 10 ? P2P_FRAME_DELTA_UNIT : 0,
                         now - G_USEC_PER_SEC));
    gst_udt_src_resume (src);
    gst_udt_item_free (gst_udt_src_next_item (src));
    fail_unless_equals_int (count_frames (src),
                            kinds[k] == P2P_WIRE_DATA ? 20 : 10);
    free_source (src);
  }
}
GST_END_TEST;

static Suite *
udt_queue_suite (void)
{
  Suite *suite = suite_create ("udt-queue");
  TCase *tc = tcase_create ("queue");

  suite_add_tcase (suite, tc);
  tcase_add_test (tc, test_lossless);
  tcase_add_test (tc, test_live);
  tcase_add_test (tc, test_pictures);
  tcase_add_test (tc, test_formats);
  tcase_add_test (tc, test_resume);
  return suite;
}

GST_CHECK_MAIN (udt_queue);
