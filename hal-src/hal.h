/* One interface to the hardware encoders of all SoC families.
 *
 * A family (HiSilicon, Ingenic, ...) fills in one table of functions, see
 * halbackend.h; callers use the functions declared here. Inside, everything is
 * in bits per second, nanoseconds and frames; each family converts at its own
 * edge.
 *
 *   family    static table, one per vendor API
 *   context   the vendor's libraries, loaded and initialised: one per family
 *             and process, shared by reference
 *   stream    one encoder channel
 *   audio     one audio input or output
 *
 * Threads: contexts may be acquired and released from any thread. Frames of
 * one stream are got and released by one thread at a time; interrupt, set and
 * request_idr may be called meanwhile from any other. Of an audio it is the same:
 * one thread reads or writes, any other interrupts.
 *
 * Failures: `error` may be NULL, and is written on failure alone, as is what
 * ret_… points to on success alone. Where a timeout is taken it is nanoseconds
 * from now.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HAL_H
#define HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HAL_SECOND UINT64_C (1000000000)
#define HAL_MSECOND UINT64_C (1000000)
#define HAL_USECOND UINT64_C (1000)
#define HAL_TIME_NONE UINT64_MAX

/* The lowest bit rate that is taken as meant: whatever is below was most
 * likely given in kbit/s. */
#define HAL_MIN_BITRATE 10000u
#define HAL_MAX_BITRATE 400000000u
#define HAL_MAX_GOP 65535u
#define HAL_MAX_FPS 240u
#define HAL_MAX_QP 51
#define HAL_MAX_ROI 8
/* Far beyond what an encoder cuts an access unit into; a count above it is
 * garbage, not a frame. */
#define HAL_MAX_SEGMENTS 1024u

typedef struct HalFamily HalFamily;
typedef struct HalContext HalContext;
typedef struct HalStream HalStream;
typedef struct HalAudio HalAudio;

typedef enum {
  HAL_OK = 0,
  HAL_TIMEOUT,       /* nothing came in the time given */
  HAL_AGAIN,         /* nothing there just now; families only */
  HAL_INTERRUPTED,   /* hal_stream_interrupt or hal_audio_interrupt */
  HAL_ENDED,         /* the encoder ended the stream */
  HAL_UNSUPPORTED,   /* this chip or SDK cannot */
  HAL_NEEDS_RESTART, /* can, but not while the stream runs */
  HAL_NOT_FOUND,     /* a library or a symbol is missing */
  HAL_BAD_LIBRARY,   /* a library is for another architecture or ABI */
  HAL_BAD_VERSION,   /* an SDK version whose structures are not known */
  HAL_NO_DEVICE,     /* no such hardware, or its driver is not loaded */
  HAL_BUSY,          /* someone else uses it */
  HAL_NO_PERMISSION,
  HAL_NO_MEMORY, /* ours, or the SoC's carve-out for video */
  HAL_INVALID,   /* a parameter out of range */
  HAL_REFUSED,   /* the vendor's library refused a valid request */
  HAL_INSANE,    /* the library answered what cannot be true */
  HAL_VENDOR,    /* any other error of the vendor's library */
} HalStatus;

/* What went wrong, for people. Written only on failure. */
typedef struct
{
  HalStatus status;
  int64_t code;   /* the vendor's, 0 if there is none */
  char call[64];  /* the function or file that failed, "" if none */
  char text[320]; /* one sentence, with the decoded code */
  char hint[256]; /* what to do about it, "" if unknown */
} HalError;

typedef enum {
  HAL_CODEC_H264,
  HAL_CODEC_H265,
  HAL_CODEC_JPEG,
} HalCodec;

typedef enum {
  HAL_RC_CBR,
  HAL_RC_VBR,
  HAL_RC_AVBR, /* VBR that follows the scene */
  HAL_RC_QVBR, /* VBR with a quality target */
  HAL_RC_CQP,  /* constant quantiser */
} HalRateControl;

typedef enum {
  HAL_PROFILE_DEFAULT,
  HAL_PROFILE_BASELINE,
  HAL_PROFILE_MAIN,
  HAL_PROFILE_HIGH,
} HalProfile;

/* What a family can do with the SDK found; see HalInfo. */
enum {
  HAL_CAP_H264 = 1u << 0,
  HAL_CAP_H265 = 1u << 1,
  HAL_CAP_JPEG = 1u << 2,
  HAL_CAP_SET_BITRATE = 1u << 3, /* while the stream runs, as all SET */
  HAL_CAP_SET_GOP = 1u << 4,
  HAL_CAP_SET_QP = 1u << 5,
  HAL_CAP_SET_RATE_CONTROL = 1u << 6,
  HAL_CAP_SET_FRAMERATE = 1u << 7,
  HAL_CAP_IDR = 1u << 8,
  HAL_CAP_CLOCK = 1u << 9, /* the clock of the timestamps can be read */
  HAL_CAP_SNAPSHOT = 1u << 10,
  HAL_CAP_AUDIO_IN = 1u << 11,
  HAL_CAP_AUDIO_OUT = 1u << 12,
  HAL_CAP_STREAM_FD = 1u << 13, /* frames announced by a descriptor */
  HAL_CAP_DEMUX = 1u << 14,     /* one reader for all channels */
  HAL_CAP_RING = 1u << 15,      /* packs may wrap round a ring */
  HAL_CAP_ATTACH = 1u << 16,    /* can join a stream that already runs */
  HAL_CAP_SET_ROI = 1u << 17,   /* regions of interest */
};

/* Where a family looks; tests put their own in place. */
typedef struct
{
  const char *library_path; /* directories, ':' between; NULL: the usual */
  const char *root;         /* put before /proc and /dev; NULL: "" */
  const char *self;         /* the running program; NULL: /proc/self/exe */
} HalEnv;

typedef struct
{
  const char *family;    /* name of the family */
  char generation[16];   /* "v4"; "" if not known */
  char version[80];      /* the SDK's version string; "" if not known */
  char chip[32];         /* "" if not known */
  char library_dir[192]; /* where the libraries are; "": system's search */
  uint32_t caps;
  unsigned max_streams;
  unsigned max_width, max_height;
} HalInfo;

/* How to run what is before the encoder: sensor, ISP, scaler. */
typedef struct
{
  /* The sensor's description in the vendor's own format. NULL: sensor and
   * ISP are run by another program, only the encoder is ours. */
  const char *sensor_config;
} HalContextConfig;

/* A part of the picture that gets more bits than the rest, or fewer. */
typedef struct
{
  unsigned x, y, width, height;
  bool absolute; /* qp is the quantiser, otherwise what is added to it */
  int qp;
} HalRoi;

typedef struct
{
  unsigned id; /* 0 main, 1 sub, ... */
  HalCodec codec;
  HalProfile profile;
  unsigned width, height; /* 0: the sensor's */
  unsigned fps_num, fps_den;
  unsigned input_fps;   /* of the sensor; 0: as fps */
  uint32_t bitrate;     /* bit/s */
  uint32_t max_bitrate; /* bit/s, for variable rates; 0: as needed */
  unsigned gop;         /* frames from one IDR to the next */
  HalRateControl rate_control;
  int qp_min, qp_max;    /* -1: the encoder's choice */
  unsigned jpeg_quality; /* 1 to 100 */
  HalRoi roi[HAL_MAX_ROI];
  unsigned n_roi;
  /* Which output of the scaler feeds the encoder; -1: the usual one. */
  int input_group, input_channel;
  bool attach; /* join the stream that already runs */
  /* Where there may be several. Read by hal_stream_create alone; in what
   * hal_stream_get_config returns they mean nothing. */
  const char *device;
  const char *encoder;
} HalStreamConfig;

/* What hal_stream_set changes. */
enum {
  HAL_SET_BITRATE = 1u << 0,
  HAL_SET_MAX_BITRATE = 1u << 1,
  HAL_SET_GOP = 1u << 2,
  HAL_SET_QP = 1u << 3,
  HAL_SET_RATE_CONTROL = 1u << 4,
  HAL_SET_FRAMERATE = 1u << 5,
  HAL_SET_ROI = 1u << 6,
};

/* A contiguous part of a pack; a pack that wraps round a ring has two. */
typedef struct
{
  const uint8_t *data;
  size_t size;
  unsigned pack; /* counts from 0 within the frame */
} HalSegment;

/* One access unit, in the vendor's memory, until it is released. */
typedef struct
{
  const HalSegment *segments;
  unsigned n_segments;
  size_t size;       /* of all segments */
  uint64_t pts;      /* vendor clock, ns; unwrapped; HAL_TIME_NONE: none */
  uint64_t raw_pts;  /* as the vendor gave it, in the vendor's unit */
  uint32_t sequence; /* the vendor's frame number */
  bool key;          /* starts with a random access point, by its NALs */
  /* Of hal_stream_set_places, with the whole frame in it, and the caller's from
   * now on. NULL: the frame is to be copied before it is released. */
  void *place;
} HalFrame;

/* Where a family that has to copy frames itself puts them, so that none is
 * copied twice. Called from any thread; what ret_data points to may be written
 * until drop, or until the frame was got. */
typedef struct
{
  void *(*get) (void *user, size_t size, uint8_t **ret_data);
  void (*drop) (void *user, void *place);
  void *user;
} HalPlaces;

typedef struct
{
  uint64_t frames, bytes;
  uint64_t idr_requests;
  uint64_t empty_wakeups; /* announced, but nothing there */
  uint64_t vendor_errors; /* failures that passed */
  uint64_t sequence_gaps;
  unsigned held; /* frames got and not released: 0 or 1 */
} HalStreamStats;

typedef struct
{
  bool output;             /* a loudspeaker, not a microphone */
  unsigned rate, channels; /* of S16LE */
  unsigned samples;        /* per channel and frame; 0: 20 ms or so */
  int device;              /* -1: the usual one */
  int volume;              /* percent; -1: leave as it is */
  /* Set by the family: channels are not interleaved, each is a segment. */
  bool planar;
} HalAudioConfig;

/* Families */
const char *hal_status_name (HalStatus status);
const char *hal_codec_name (HalCodec codec);

/* "hisi"; "HiSilicon / Goke" */
const char *hal_family_name (const HalFamily *family);
const char *hal_family_long_name (const HalFamily *family);

/* Looks for the hardware and its libraries without touching the hardware.
 * HAL_NOT_FOUND or HAL_NO_DEVICE if there is none. */
HalStatus hal_probe (const HalFamily *family, const HalEnv *env,
                     HalInfo *ret_info, HalError *error);

/* Contexts */

/* The one of the process, opened by the first. `env` and `config` may be NULL
 * and are copied; HAL_BUSY: it runs already with others. Each success is one
 * hal_context_release(), after all streams and audio of it are gone. */
HalStatus hal_context_acquire (const HalFamily *family, const HalEnv *env,
                               const HalContextConfig *config,
                               HalContext **ret_context, HalError *error);
void hal_context_release (HalContext *context);
const HalInfo *hal_context_info (const HalContext *context);
/* The vendor's clock, on which the timestamps of all frames are. */
HalStatus hal_context_clock (HalContext *context, uint64_t *ret_ns,
                             HalError *error);

/* Streams */
void hal_stream_config_init (HalStreamConfig *config);
/* Whether the values are possible at all; says in words what is not. */
HalStatus hal_stream_config_check (const HalStreamConfig *config,
                                   HalError *error);
HalStatus hal_stream_create (HalContext *context, const HalStreamConfig *config,
                             HalStream **ret_stream, HalError *error);
void hal_stream_destroy (HalStream *stream);
/* While it is stopped; NULL: none. */
void hal_stream_set_places (HalStream *stream, const HalPlaces *places);
HalStatus hal_stream_start (HalStream *stream, HalError *error);
/* Releases the frame that is out. A reader in another thread has to have
 * returned before: interrupt it. */
void hal_stream_stop (HalStream *stream);
/* What is in force: sizes rounded, rates as the encoder took them. */
void hal_stream_get_config (HalStream *stream, HalStreamConfig *ret_config);
/* Takes those fields of `want` that `what` names (HAL_SET_…); all or nothing.
 * HAL_NEEDS_RESTART: only by destroying the stream and making it anew. */
HalStatus hal_stream_set (HalStream *stream, const HalStreamConfig *want,
                          uint32_t what, HalError *error);
/* The next frame or so is a keyframe. Nothing to do for JPEG. */
HalStatus hal_stream_request_idr (HalStream *stream, HalError *error);
/* Waits at most timeout ns. On HAL_OK the frame is the caller's until
 * hal_stream_release_frame; only one is out at a time. */
HalStatus hal_stream_get_frame (HalStream *stream, uint64_t timeout,
                                HalFrame *ret_frame, HalError *error);
HalStatus hal_stream_release_frame (HalStream *stream, HalError *error);
/* While on, hal_stream_get_frame returns HAL_INTERRUPTED at once. */
void hal_stream_interrupt (HalStream *stream, bool on);
void hal_stream_get_stats (HalStream *stream, HalStreamStats *ret_stats);

/* Gets the parts of one JPEG; they are gone when it returns. */
typedef void (*HalSnapshotFunc) (void *user, const HalSegment *segments,
                                 unsigned n_segments);
HalStatus hal_stream_snapshot (HalStream *stream, unsigned quality,
                               uint64_t timeout, HalSnapshotFunc func,
                               void *user, HalError *error);

/* Audio */
void hal_audio_config_init (HalAudioConfig *config);
HalStatus hal_audio_open (HalContext *context, const HalAudioConfig *config,
                          HalAudio **ret_audio, HalError *error);
void hal_audio_get_config (HalAudio *audio, HalAudioConfig *ret_config);
void hal_audio_close (HalAudio *audio);
/* As hal_stream_get_frame, and hal_stream_release_frame. */
HalStatus hal_audio_read (HalAudio *audio, uint64_t timeout,
                          HalFrame *ret_frame, HalError *error);
HalStatus hal_audio_release (HalAudio *audio, HalError *error);
/* Takes the whole of data, of any size: what is not a whole frame waits for the
 * rest. A failure part of the way leaves open how much was played. */
HalStatus hal_audio_write (HalAudio *audio, const void *data, size_t size,
                           uint64_t timeout, HalError *error);
void hal_audio_interrupt (HalAudio *audio, bool on);

#endif /* HAL_H */
