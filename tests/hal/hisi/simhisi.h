/* What the files of HiSilicon's simulated library share: names and types of the
 * generation SIM_HISI, error codes.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef SIM_HISI_H
#define SIM_HISI_H

#include "hisi/hisilayout.h"
#include "simengine.h"

#if SIM_HISI == 5
#define NAME(mpi, ss) ss_mpi_##ss
#else
#define NAME(mpi, ss) HI_MPI_##mpi
#endif
#define API(mpi, ss) SIM_EXPORT int32_t NAME (mpi, ss)

#if SIM_HISI == 1
typedef HisiV1Pack Pack;
typedef HisiV1Stream Stream;
typedef HisiV1Status Status;
typedef HisiV1ChnAttr Attr;
typedef HisiV1RcParam RcParam;
typedef HisiV1AudioFrame AudioFrame;
#define VERSION "HI_VERSION=Hi3518_MPP_V1.0.A.0 B030 Release"
#define VENC 7
#elif SIM_HISI == 2
typedef HisiV2Pack Pack;
typedef HisiV2Stream Stream;
typedef HisiV2Status Status;
typedef HisiV2ChnAttr Attr;
typedef HisiV2RcParam RcParam;
typedef HisiV1AudioFrame AudioFrame;
#define VERSION "HI_VERSION=Hi3518EV200_MPP_V1.0.4.0 B030 Release"
#define VENC 8
#elif SIM_HISI == 3
typedef HisiV2Pack Pack;
typedef HisiV3Stream Stream;
typedef HisiV2Status Status;
typedef HisiV3ChnAttr Attr;
typedef HisiV3RcParam RcParam;
typedef HisiV1AudioFrame AudioFrame;
#define VERSION "HI_VERSION=Hi3516CV300_MPP_V1.0.0.0 B040 Release"
#define VENC 8
#elif SIM_HISI == 4
typedef HisiV4Pack Pack;
typedef HisiV4Stream Stream;
typedef HisiV4Status Status;
typedef HisiV4ChnAttr Attr;
typedef HisiV4RcParam RcParam;
typedef HisiV4AudioFrame AudioFrame;
#define VERSION "HI_VERSION=Hi3516EV200_MPP_V1.0.1.2 B030 Release"
#define VENC 8
#else
#if UINTPTR_MAX > UINT32_MAX
typedef HisiV5Pack64 Pack;
typedef HisiV5Stream64 Stream;
typedef HisiV5Status64 Status;
typedef HisiV5ChnAttr64 Attr;
typedef HisiV5AudioFrame64 AudioFrame;
#define VERSION "OT_VERSION=Hi3519DV500_MPP_V2.0.2.1 B010 Release"
#else
typedef HisiV5Pack Pack;
typedef HisiV5Stream Stream;
typedef HisiV5Status Status;
typedef HisiV5ChnAttr Attr;
typedef HisiV5AudioFrame AudioFrame;
#define VERSION "OT_VERSION=Hi3516CV610_MPP_V1.0.1.0 B010 Release"
#endif
typedef HisiV5RcParam RcParam;
#define VENC 8
#endif

/* Error codes, here by what they say. */
#if SIM_HISI == 5
enum {
  CHN = 3,
  PARAM = 7,
  EXIST = 8,
  UNEXIST = 9,
  NULL_PTR = 10,
  PERM = 13,
  NO_MEM = 0x14,
  NO_BUF = 0x15,
  EMPTY = 0x16,
  BUSY = 0x22
};
#else
enum {
  CHN = 2,
  PARAM = 3,
  EXIST = 4,
  UNEXIST = 5,
  NULL_PTR = 6,
  PERM = 9,
  NO_MEM = 12,
  NO_BUF = 13,
  EMPTY = 14,
  BUSY = 18
};
#endif

#endif /* SIM_HISI_H */
