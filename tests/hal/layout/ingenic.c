/* The structures of Ingenic on MIPS o32: sizes and offsets as in the vendor's
 * SDKs. Compiled, never run.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ingenic/ingeniclayout.h"

#define SIZE(type, size) _Static_assert(sizeof (type) == (size), #type)
#define AT(type, member, offset)                                               \
  _Static_assert(offsetof (type, member) == (offset), #type "." #member)

#if !defined(__mips__)
#error "the library exists for MIPS alone"
#endif

/* The same for all generations */
SIZE (IngenicCell, 12);
SIZE (IngenicVersion, 64);
SIZE (IngenicFrameRate, 8);
SIZE (IngenicSensorInfo, 80);
AT (IngenicSensorInfo, bus, 32);
AT (IngenicSensorInfo, i2c_type, 36);
AT (IngenicSensorInfo, i2c_address, 56);
AT (IngenicSensorInfo, i2c_adapter, 60);
AT (IngenicSensorInfo, gpios, 72);
SIZE (IngenicSourceAttr, 80);
AT (IngenicSourceAttr, pixel_format, 8);
AT (IngenicSourceAttr, crop, 12);
AT (IngenicSourceAttr, scaler, 32);
AT (IngenicSourceAttr, fps_num, 44);
AT (IngenicSourceAttr, fps_den, 48);
AT (IngenicSourceAttr, n_buffers, 52);
AT (IngenicSourceAttr, type, 56);
AT (IngenicSourceAttr, frame_crop, 60);
SIZE (IngenicStatus, 24);
AT (IngenicStatus, n_packs, 16);
AT (IngenicStatus, work_done, 20);
SIZE (IngenicAudioAttr, 24);
AT (IngenicAudioAttr, sound_mode, 8);
AT (IngenicAudioAttr, n_frames, 12);
AT (IngenicAudioAttr, samples, 16);
AT (IngenicAudioAttr, n_channels, 20);
SIZE (IngenicAudioParam, 12);
SIZE (IngenicAudioFrame, 32);
AT (IngenicAudioFrame, address, 8);
AT (IngenicAudioFrame, pts, 16);
AT (IngenicAudioFrame, sequence, 24);
AT (IngenicAudioFrame, length, 28);
SIZE (IngenicAudioState, 12);

/* The old kind: T20 of 172 bytes; the others' are shorter at the end */
SIZE (IngenicT23SensorInfo, 84);
AT (IngenicT23SensorInfo, id, 32);
AT (IngenicT23SensorInfo, bus, 36);
AT (IngenicT23SensorInfo, i2c_type, 40);
AT (IngenicT23SensorInfo, i2c_address, 60);
AT (IngenicT23SensorInfo, i2c_adapter, 64);
AT (IngenicT23SensorInfo, gpios, 76);
SIZE (IngenicPack, 32);
AT (IngenicPack, address, 4);
AT (IngenicPack, length, 8);
AT (IngenicPack, pts, 16);
AT (IngenicPack, frame_end, 24);
AT (IngenicPack, type, 28);
SIZE (IngenicStreamOld, 16);
AT (IngenicStreamOld, packs, 0);
AT (IngenicStreamOld, n_packs, 4);
AT (IngenicStreamOld, sequence, 8);
AT (IngenicStreamOld, reference, 12);
SIZE (IngenicRcOld, 44);
AT (IngenicRcOld, words, 4);
SIZE (IngenicAttrOld, 172);
AT (IngenicAttrOld, buffer_size, 4);
AT (IngenicAttrOld, profile, 8);
AT (IngenicAttrOld, width, 12);
AT (IngenicAttrOld, height, 16);
AT (IngenicAttrOld, crop_enable, 20);
AT (IngenicAttrOld, user_data, 40);
AT (IngenicAttrOld, fps, 48);
AT (IngenicAttrOld, gop, 56);
AT (IngenicAttrOld, rc, 60);
AT (IngenicAttrOld, rc.words, 64);
AT (IngenicAttrOld, rest, 104);
SIZE (IngenicGop, 4);

/* The new kind */
SIZE (IngenicRingPack, 32);
AT (IngenicRingPack, offset, 0);
AT (IngenicRingPack, length, 4);
AT (IngenicRingPack, pts, 8);
AT (IngenicRingPack, frame_end, 16);
AT (IngenicRingPack, nal_type, 20);
AT (IngenicRingPack, slice_type, 24);
SIZE (IngenicRingStream, 64);
AT (IngenicRingStream, ring, 4);
AT (IngenicRingStream, ring_size, 8);
AT (IngenicRingStream, packs, 12);
AT (IngenicRingStream, n_packs, 16);
AT (IngenicRingStream, sequence, 20);
AT (IngenicRingStream, is_vi, 24);
AT (IngenicRingStream, info, 28);
SIZE (IngenicRcMode, 36);
SIZE (IngenicT31Attr, 112);
AT (IngenicT31Attr, level, 4);
AT (IngenicT31Attr, tier, 5);
AT (IngenicT31Attr, width, 6);
AT (IngenicT31Attr, height, 8);
AT (IngenicT31Attr, picture_format, 12);
AT (IngenicT31Attr, options, 16);
AT (IngenicT31Attr, tools, 20);
AT (IngenicT31Attr, crop_enable, 24);
AT (IngenicT31Attr, rc, 44);
AT (IngenicT31Attr, rc.u.cbr.target, 48);
AT (IngenicT31Attr, rc.u.cbr.qp_init, 52);
AT (IngenicT31Attr, rc.u.cbr.qp_min, 54);
AT (IngenicT31Attr, rc.u.cbr.qp_max, 56);
AT (IngenicT31Attr, rc.u.cbr.options, 64);
AT (IngenicT31Attr, rc.u.cbr.max_picture, 68);
AT (IngenicT31Attr, rc.u.vbr.max, 52);
AT (IngenicT31Attr, rc.u.vbr.qp_init, 56);
AT (IngenicT31Attr, rc.u.vbr.qp_min, 58);
AT (IngenicT31Attr, rc.u.vbr.qp_max, 60);
AT (IngenicT31Attr, rc.u.vbr.options, 68);
AT (IngenicT31Attr, rc.u.vbr.max_psnr, 76);
AT (IngenicT31Attr, fps, 80);
AT (IngenicT31Attr, gop_mode, 88);
AT (IngenicT31Attr, gop, 92);
AT (IngenicT31Attr, max_same_scene, 96);
AT (IngenicT31Attr, long_term_every, 104);
AT (IngenicT31Attr, long_term_rc, 108);

/* T40 and T41; attributes of T40 are T31's */
SIZE (IngenicT40SensorInfo, 100);
AT (IngenicT40SensorInfo, bus, 32);
AT (IngenicT40SensorInfo, i2c_type, 36);
AT (IngenicT40SensorInfo, i2c_address, 56);
AT (IngenicT40SensorInfo, i2c_adapter, 60);
AT (IngenicT40SensorInfo, reset_gpio, 72);
AT (IngenicT40SensorInfo, power_down_gpio, 76);
AT (IngenicT40SensorInfo, power_gpio, 80);
AT (IngenicT40SensorInfo, id, 84);
AT (IngenicT40SensorInfo, interface, 88);
AT (IngenicT40SensorInfo, clock, 92);
AT (IngenicT40SensorInfo, mode, 96);
SIZE (IngenicT40SourceAttr, 100);
AT (IngenicT40SourceAttr, attr, 20);
AT (IngenicT40SourceAttr, attr.pixel_format, 28);
AT (IngenicT40SourceAttr, attr.scaler, 52);
AT (IngenicT40SourceAttr, attr.fps_num, 64);
AT (IngenicT40SourceAttr, attr.n_buffers, 72);
AT (IngenicT40SourceAttr, attr.frame_crop, 80);
SIZE (IngenicT41Attr, 124);
AT (IngenicT41Attr, vpu, 0);
AT (IngenicT41Attr, profile, 4);
AT (IngenicT41Attr, level, 8);
AT (IngenicT41Attr, width, 10);
AT (IngenicT41Attr, height, 12);
AT (IngenicT41Attr, picture_format, 16);
AT (IngenicT41Attr, options, 20);
AT (IngenicT41Attr, tools, 24);
AT (IngenicT41Attr, crop_enable, 28);
AT (IngenicT41Attr, buffer_size, 48);
AT (IngenicT41Attr, rc, 52);
AT (IngenicT41Attr, rc.u.cbr.target, 56);
AT (IngenicT41Attr, rc.u.cbr.qp_min, 62);
AT (IngenicT41Attr, rc.u.cbr.qp_max, 64);
AT (IngenicT41Attr, rc.u.vbr.max, 60);
AT (IngenicT41Attr, rc.u.vbr.qp_min, 66);
AT (IngenicT41Attr, rc.u.vbr.qp_max, 68);
AT (IngenicT41Attr, rc.u.vbr.max_psnr, 84);
AT (IngenicT41Attr, fps, 88);
AT (IngenicT41Attr, gop_mode, 96);
AT (IngenicT41Attr, gop, 100);
AT (IngenicT41Attr, max_same_scene, 104);
AT (IngenicT41Attr, long_term_every, 112);
AT (IngenicT41Attr, long_term_rc, 116);
AT (IngenicT41Attr, ivdc, 120);
