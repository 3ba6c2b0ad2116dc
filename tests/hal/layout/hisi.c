/* The structures of HiSilicon and Goke on the processors they are for: sizes
 * and offsets as in the vendor's SDKs. Compiled, never run.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hisi/hisilayout.h"

#define SIZE(type, size) _Static_assert(sizeof (type) == (size), #type)
#define AT(type, member, offset)                                               \
  _Static_assert(offsetof (type, member) == (offset), #type "." #member)

/* The same everywhere */
SIZE (HisiMppChn, 12);
AT (HisiMppChn, device, 4);
AT (HisiMppChn, channel, 8);
SIZE (HisiRecvParam, 4);
SIZE (HisiVersion, 64);
SIZE (HisiV4AioAttr, 40);
SIZE (HisiV1AioAttr, 36);
AT (HisiV1AioAttr, samples, 24);
AT (HisiV1AioAttr, n_channels, 28);
SIZE (HisiV4RcParam, 272);
SIZE (HisiV5RcParam, 280);
SIZE (HisiV4VpssChnAttr, 72);
AT (HisiV4VpssChnAttr, width, 4);
SIZE (HisiV5VpssChnAttr, 96);
AT (HisiV5VpssChnAttr, width, 12);
AT (HisiV5VpssChnAttr, height, 16);
SIZE (HisiV4ChnAttr, 116);
AT (HisiV4ChnAttr, buffer_size, 12);
AT (HisiV4ChnAttr, profile, 16);
AT (HisiV4ChnAttr, by_frame, 20);
AT (HisiV4ChnAttr, width, 24);
AT (HisiV4ChnAttr, height, 28);
AT (HisiV4ChnAttr, rc_mode, 60);
AT (HisiV4ChnAttr, rc, 64);
AT (HisiV4ChnAttr, rc[HISI_RC_SRC_FPS], 72);
AT (HisiV4ChnAttr, rc[HISI_RC_DST_FPS], 76);
AT (HisiV4ChnAttr, rc[HISI_RC_BITRATE], 80);
AT (HisiV4ChnAttr, gop_mode, 100);
AT (HisiV4ChnAttr, ip_qp_delta, 104);
SIZE (HisiV4Roi, 32);
AT (HisiV4Roi, index, 0);
AT (HisiV4Roi, enable, 4);
AT (HisiV4Roi, absolute, 8);
AT (HisiV4Roi, qp, 12);
AT (HisiV4Roi, x, 16);
AT (HisiV4Roi, width, 24);
SIZE (HisiV1Status, 28);
AT (HisiV1Status, n_packs, 16);
SIZE (HisiV2Status, 24);
AT (HisiV2Status, n_packs, 12);
SIZE (HisiV4Status, 88);
AT (HisiV4Status, n_packs, 12);

#if UINTPTR_MAX == UINT32_MAX
/* ARM EABI, and MIPS o32, which lays these out in the same way */
SIZE (HisiV1Pack, 48);
AT (HisiV1Pack, address, 8);
AT (HisiV1Pack, length, 16);
AT (HisiV1Pack, pts, 24);
AT (HisiV1Pack, frame_end, 36);
AT (HisiV1Pack, type, 40);
AT (HisiV1Pack, offset, 44);
SIZE (HisiV2Pack, 136);
AT (HisiV2Pack, address, 4);
AT (HisiV2Pack, length, 8);
AT (HisiV2Pack, pts, 16);
AT (HisiV2Pack, frame_end, 24);
AT (HisiV2Pack, type, 28);
AT (HisiV2Pack, offset, 32);
AT (HisiV2Pack, n_info, 36);
AT (HisiV2Pack, info, 40);
SIZE (HisiV4Pack, 136);
AT (HisiV4Pack, address, 8);
AT (HisiV4Pack, length, 12);
AT (HisiV4Pack, pts, 16);
AT (HisiV4Pack, offset, 32);
SIZE (HisiV5Pack, 152);
AT (HisiV5Pack, address, 4);
AT (HisiV5Pack, length, 8);
AT (HisiV5Pack, pts, 16);
AT (HisiV5Pack, layer, 32);
AT (HisiV5Pack, type, 40);
AT (HisiV5Pack, offset, 44);
AT (HisiV5Pack, n_info, 48);
SIZE (HisiV1Stream, 64);
SIZE (HisiV2Stream, 72);
SIZE (HisiV3Stream, 376);
SIZE (HisiV4Stream, 384);
SIZE (HisiV5Stream, 520);
AT (HisiV1Stream, n_packs, 4);
AT (HisiV1Stream, sequence, 8);
AT (HisiV4Stream, n_packs, 4);
AT (HisiV4Stream, sequence, 8);
AT (HisiV5Stream, sequence, 8);
SIZE (HisiV5Status, 120);
SIZE (HisiV1ChnAttr, 84);
AT (HisiV1ChnAttr, codec.h26x.profile, 16);
AT (HisiV1ChnAttr, codec.h26x.by_frame, 20);
AT (HisiV1ChnAttr, codec.h26x.width, 40);
AT (HisiV1ChnAttr, codec.h26x.height, 44);
AT (HisiV1ChnAttr, codec.jpeg.width, 32);
AT (HisiV1ChnAttr, rc_mode, 48);
AT (HisiV1ChnAttr, rc, 52);
AT (HisiV1ChnAttr, rc[HISI_RC_BITRATE], 68);
AT (HisiV1ChnAttr, rc[HISI_RC_MAX_QP], 72);
AT (HisiV1ChnAttr, rc[HISI_RC_MIN_QP], 76);
AT (HisiV1ChnAttr, rc_private, 80);
SIZE (HisiV2ChnAttr, 76);
AT (HisiV2ChnAttr, codec.h26x.width, 24);
AT (HisiV2ChnAttr, codec.h26x.n_references, 36);
AT (HisiV2ChnAttr, codec.jpeg.by_frame, 16);
AT (HisiV2ChnAttr, codec.jpeg.width, 20);
AT (HisiV2ChnAttr, rc_mode, 40);
AT (HisiV2ChnAttr, rc[HISI_RC_BITRATE], 60);
AT (HisiV2ChnAttr, rc[HISI_RC_MAX_QP], 64);
AT (HisiV2ChnAttr, rc_private, 72);
SIZE (HisiV3ChnAttr, 88);
AT (HisiV3ChnAttr, codec.h26x.height, 28);
AT (HisiV3ChnAttr, rc_mode, 32);
AT (HisiV3ChnAttr, rc[HISI_RC_BITRATE], 52);
AT (HisiV3ChnAttr, rc_private, 68);
AT (HisiV3ChnAttr, gop_mode, 72);
AT (HisiV3ChnAttr, ip_qp_delta, 76);
SIZE (HisiV5ChnAttr, 148);
AT (HisiV5ChnAttr, rc_mode, 60);
AT (HisiV5ChnAttr, gop_mode, 120);
SIZE (HisiV1RcParam, 192);
AT (HisiV1RcParam, rc_private, 188);
SIZE (HisiV2RcParam, 168);
SIZE (HisiV3RcParam, 448);
SIZE (HisiV1AudioFrame, 48);
AT (HisiV1AudioFrame, address, 8);
AT (HisiV1AudioFrame, pts, 24);
AT (HisiV1AudioFrame, sequence, 32);
AT (HisiV1AudioFrame, length, 36);
SIZE (HisiV4AudioFrame, 56);
AT (HisiV4AudioFrame, physical, 16);
AT (HisiV4AudioFrame, pts, 32);
AT (HisiV4AudioFrame, sequence, 40);
AT (HisiV4AudioFrame, length, 44);
#else
/* AArch64: hi3519dv500 */
SIZE (HisiV5Pack64, 144);
AT (HisiV5Pack64, address, 8);
AT (HisiV5Pack64, length, 16);
AT (HisiV5Pack64, pts, 24);
AT (HisiV5Pack64, frame_end, 32);
AT (HisiV5Pack64, type, 36);
AT (HisiV5Pack64, offset, 40);
AT (HisiV5Pack64, n_info, 44);
AT (HisiV5Pack64, info, 48);
SIZE (HisiV5Stream64, 464);
AT (HisiV5Stream64, n_packs, 8);
AT (HisiV5Stream64, sequence, 12);
SIZE (HisiV5Status64, 104);
AT (HisiV5Status64, n_packs, 12);
SIZE (HisiV5ChnAttr64, 116);
SIZE (HisiV5AudioFrame64, 64);
AT (HisiV5AudioFrame64, address, 8);
AT (HisiV5AudioFrame64, pts, 40);
AT (HisiV5AudioFrame64, sequence, 48);
AT (HisiV5AudioFrame64, length, 52);
#endif
