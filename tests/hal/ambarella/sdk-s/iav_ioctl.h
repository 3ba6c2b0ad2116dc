/* What stands in for the SDK's header of this name, as the older generation
 * (S2L, S3L) has it: see ../sdk/iav_ioctl.h. All values are made up.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef IAV_IOCTL_H
#define IAV_IOCTL_H

#include <linux/ioctl.h>
#include <stdint.h>

/* Not in any SDK: says what this file is. */
#define IAV_STAND_IN 1

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64 __attribute__ ((aligned (8)));

#define IAV_STREAM_MAX_NUM_ALL 8

enum iav_state {
  IAV_STATE_INIT = 13,
  IAV_STATE_PREVIEW,
  IAV_STATE_ENCODING,
  IAV_STATE_IDLE,
};

enum iav_stream_type {
  IAV_STREAM_TYPE_NONE = 23,
  IAV_STREAM_TYPE_H264,
  IAV_STREAM_TYPE_MJPEG,
};

enum iav_stream_state {
  IAV_STREAM_STATE_IDLE = 33,
  IAV_STREAM_STATE_STARTING,
  IAV_STREAM_STATE_ENCODING,
  IAV_STREAM_STATE_STOPPING,
};

/* The memory that encoders write to */

enum iav_buffer_id { IAV_BUFFER_BSB = 43 };

struct iav_querybuf
{
  u32 length;
  u32 offset;
  enum iav_buffer_id buf;
};

/* Frames */

enum { IAV_DESC_FRAME = 53 };
enum {
  IAV_PIC_TYPE_MJPEG_FRAME = 0,
  IAV_PIC_TYPE_IDR_FRAME = 1,
  IAV_PIC_TYPE_P_FRAME = 3,
};

struct iav_reso
{
  u32 width, height;
};

struct iav_framedesc
{
  u32 time_ms;
  u32 id;
  u64 arm_pts;
  u32 data_addr_offset;
  u32 size;
  u32 session_id;
  u32 frame_num;
  enum iav_stream_type stream_type;
  u32 pic_type;
  u32 stream_end;
  struct iav_reso reso;
};

struct iav_querydesc
{
  union
  {
    struct iav_framedesc frame;
    u32 more[24];
  } arg;
  u32 qid;
};

/* Streams */

struct iav_stream_info
{
  u32 id;
  enum iav_stream_state state;
};

struct iav_rect
{
  u32 x, y, width, height;
};

struct iav_stream_format
{
  u32 id;
  enum iav_stream_type type;
  u32 buf_id;
  struct iav_rect enc_win;
};

struct iav_stream_fps
{
  u32 fps_multi, fps_div;
};

enum iav_brc_mode { IAV_BRC_SCBR = 63 };

struct iav_bitrate
{
  enum iav_brc_mode vbr_setting;
  u32 average_bitrate;
  u32 qp_min_on_I : 8;
  u32 qp_max_on_I : 8;
  u32 qp_min_on_P : 8;
  u32 qp_max_on_P : 8;
  u32 qp_min_on_B : 8;
  u32 qp_max_on_B : 8;
};

struct iav_h264_gop
{
  u32 id;
  u16 N;
  u8 idr_interval;
};

struct iav_h264_cfg
{
  u32 id;
  u8 M;
  u8 idr_interval;
  u16 N;
  u8 profile;
};

struct iav_mjpeg_cfg
{
  u32 id;
  u8 quality;
};

enum iav_stream_cfg_id {
  IAV_STMCFG_FPS = 73,
  IAV_H264_CFG_GOP,
  IAV_H264_CFG_BITRATE,
  IAV_H264_CFG_FORCE_IDR,
};

struct iav_stream_cfg
{
  u32 id;
  enum iav_stream_cfg_id cid;
  union
  {
    struct iav_stream_fps fps;
    struct iav_bitrate h264_rc;
    struct iav_h264_gop h264_gop;
    u32 h264_force_idr;
  } arg;
};

/* Without sizes: those that the driver has may be others. */
#define IAV_STAND_IN_IO(number) _IO ('!', number)

#define IAV_IOC_START_ENCODE IAV_STAND_IN_IO (1)
#define IAV_IOC_STOP_ENCODE IAV_STAND_IN_IO (2)
#define IAV_IOC_ABORT_ENCODE IAV_STAND_IN_IO (3)
#define IAV_IOC_GET_IAV_STATE IAV_STAND_IN_IO (4)
#define IAV_IOC_QUERY_BUF IAV_STAND_IN_IO (5)
#define IAV_IOC_QUERY_DESC IAV_STAND_IN_IO (6)
#define IAV_IOC_GET_STREAM_INFO IAV_STAND_IN_IO (7)
#define IAV_IOC_GET_STREAM_FORMAT IAV_STAND_IN_IO (8)
#define IAV_IOC_SET_STREAM_FORMAT IAV_STAND_IN_IO (9)
#define IAV_IOC_GET_STREAM_CONFIG IAV_STAND_IN_IO (10)
#define IAV_IOC_SET_STREAM_CONFIG IAV_STAND_IN_IO (11)
#define IAV_IOC_GET_H264_CONFIG IAV_STAND_IN_IO (12)
#define IAV_IOC_SET_H264_CONFIG IAV_STAND_IN_IO (13)
#define IAV_IOC_GET_MJPEG_CONFIG IAV_STAND_IN_IO (14)
#define IAV_IOC_SET_MJPEG_CONFIG IAV_STAND_IN_IO (15)

#endif /* IAV_IOCTL_H */
