/* The driver's commands, one function for each thing that is asked of it; the
 * only files that know the SDK's header are this one and its .c.
 *
 * The header is the user's own: structures are used by the names of their
 * members alone, and nothing here says how large they are. What the driver
 * writes to is larger than the header says, and zeroed, for a driver that is
 * newer than the header.
 *
 * All functions return HAL_OK, or fail with the decoded error, which names the
 * command. They may be called from any thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef AMBARELLA_IAV_H
#define AMBARELLA_IAV_H

#if defined(__has_include)
#if __has_include(<basetypes.h>)
#include <basetypes.h>
#endif
#endif
#include <iav_ioctl.h>

#include "ambarellaops.h"

/* Two generations of the driver, which name some things differently. The older
 * one (S2L, S3L) has a command for each of them, takes no frames back, and is
 * used for H.264 and JPEG. */
#if defined(IAV_IOC_QUERY_MEMBLOCK)
#define AMB_NEW 1
#elif defined(IAV_IOC_QUERY_BUF)
#define AMB_NEW 0
#else
#error "this iav_ioctl.h is of a generation that is not known"
#endif

#define AMB_MAX_STREAMS IAV_STREAM_MAX_NUM_ALL
/* Behind each structure that the driver fills in. */
#define AMB_ROOM 256

/* The device, open. */
typedef struct
{
  AmbOps ops;
  int fd;
} AmbDevice;

/* A whole frame, or a slice or tile of one. */
typedef struct
{
  uint64_t offset; /* in the memory of frames */
  uint64_t ticks;  /* of the 90 kHz timer; 0: none */
  uint32_t size;
  uint32_t number;          /* of the frame */
  bool ended;               /* the stream, with this one */
  bool frame_end;           /* only says that the frame is whole */
  unsigned slice, n_slices; /* 0 and 1: not cut */
  unsigned tile, n_tiles;
  struct iav_framedesc driver; /* as it came, to be given back */
} AmbPiece;

typedef enum {
  AMB_IDLE,
  AMB_ENCODING,
  AMB_CHANGING, /* to one of these */
} AmbState;

typedef struct
{
  bool known; /* H.264, H.265 or JPEG */
  HalCodec codec;
  unsigned width, height;
} AmbFormat;

/* Limits of the quantiser, of I and of other pictures. */
typedef struct
{
  uint32_t bitrate; /* bit/s */
  int min_i, max_i, min, max;
} AmbRate;

HalStatus amb_iav_fail (HalError *error, const char *call, int number);
bool amb_iav_is_stand_in (void);

/* Where frames are: to be mapped twice in a row, so that none wraps. */
HalStatus amb_iav_memory (AmbDevice *device, uint64_t *ret_offset,
                          size_t *ret_length, HalError *error);
/* Whether sensor and scaler run, without which no encoder does. */
HalStatus amb_iav_is_running (AmbDevice *device, bool *ret_running,
                              HalError *error);
HalStatus amb_iav_state (AmbDevice *device, unsigned id, AmbState *ret_state,
                         HalError *error);
HalStatus amb_iav_start (AmbDevice *device, unsigned id, HalError *error);
/* Whatever state it is in. */
HalStatus amb_iav_stop (AmbDevice *device, unsigned id, HalError *error);

HalStatus amb_iav_get_format (AmbDevice *device, unsigned id,
                              AmbFormat *ret_format, HalError *error);
/* canvas: -1 leaves it. */
HalStatus amb_iav_set_format (AmbDevice *device, unsigned id,
                              const AmbFormat *format, int canvas,
                              HalError *error);
HalStatus amb_iav_get_rate (AmbDevice *device, unsigned id, HalCodec codec,
                            AmbRate *ret_rate, HalError *error);
HalStatus amb_iav_set_rate (AmbDevice *device, unsigned id, HalCodec codec,
                            const AmbRate *rate, HalError *error);
/* Leaves all else of another program's rate control as it is. */
HalStatus amb_iav_set_bitrate (AmbDevice *device, unsigned id, HalCodec codec,
                               uint32_t bitrate, HalError *error);
/* Frames from one IDR to the next: idle, and while it encodes. */
HalStatus amb_iav_get_gop (AmbDevice *device, unsigned id, HalCodec codec,
                           unsigned *ret_gop, HalError *error);
HalStatus amb_iav_set_gop (AmbDevice *device, unsigned id, HalCodec codec,
                           unsigned gop, HalError *error);
HalStatus amb_iav_change_gop (AmbDevice *device, unsigned id, HalCodec codec,
                              unsigned gop, HalError *error);
/* Whole frames a second; 0: not known. input_fps: of the canvas, of which the
 * older generation has shares; 0: not known. */
HalStatus amb_iav_get_fps (AmbDevice *device, unsigned id, unsigned input_fps,
                           unsigned *ret_fps, HalError *error);
HalStatus amb_iav_set_fps (AmbDevice *device, unsigned id, unsigned fps,
                           unsigned input_fps, HalError *error);
HalStatus amb_iav_set_quality (AmbDevice *device, unsigned id, unsigned quality,
                               HalError *error);
HalStatus amb_iav_request_idr (AmbDevice *device, unsigned id, HalCodec codec,
                               HalError *error);

/* Waits for at most ms, at least 1, for a piece. HAL_AGAIN: none came, or a
 * signal did. HAL_VENDOR: may pass. */
HalStatus amb_iav_get_piece (AmbDevice *device, unsigned id, unsigned ms,
                             AmbPiece *ret_piece, HalError *error);
HalStatus amb_iav_release_piece (AmbDevice *device, AmbPiece *piece,
                                 HalError *error);

#endif /* AMBARELLA_IAV_H */
