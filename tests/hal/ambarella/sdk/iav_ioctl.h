/* What stands in for the SDK's header of this name, so that the back end can be
 * built and tried without an SDK: the members that hal-src/ambarella uses, by
 * the names that public programs use them by. Order, types, values and numbers
 * of commands are made up here; no driver would know them, and the back end
 * does not talk to one when it is built against this file.
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
/* 64-bit members are where they are on ARM on every machine. */
typedef uint64_t u64 __attribute__ ((aligned (8)));

#define IAV_STREAM_MAX_NUM_ALL 12

enum iav_state {
  IAV_STATE_IDLE = 21,
  IAV_STATE_PREVIEW,
  IAV_STATE_ENCODING,
  IAV_STATE_DECODING,
  IAV_STATE_INIT,
};

enum iav_stream_type {
  IAV_STREAM_TYPE_NONE = 31,
  IAV_STREAM_TYPE_MJPEG,
  IAV_STREAM_TYPE_H265,
  IAV_STREAM_TYPE_H264,
};

enum iav_stream_state {
  IAV_STREAM_STATE_UNKNOWN = 41,
  IAV_STREAM_STATE_IDLE,
  IAV_STREAM_STATE_STOPPING,
  IAV_STREAM_STATE_STARTING,
  IAV_STREAM_STATE_ENCODING,
};

/* The memory that encoders write to */

enum { IAV_MEM_PARTITION = 51 };
enum { IAV_PART_BSB = 61 };

struct iav_mem_block
{
  u32 length;
  u64 addr;
};

struct iav_mem_part_info
{
  u8 pid;
  struct iav_mem_block mem;
};

struct iav_querymem
{
  u32 mid;
  union
  {
    struct iav_mem_part_info partition;
    u32 more[10];
  } arg;
};

/* Frames */

enum { IAV_DESC_FRAME = 71 };
enum {
  IAV_PIC_TYPE_MJPEG_FRAME = 0,
  IAV_PIC_TYPE_IDR_FRAME = 1,
  IAV_PIC_TYPE_I_FRAME = 2,
  IAV_PIC_TYPE_P_FRAME = 3,
};

struct iav_reso
{
  u16 height, width;
};

struct iav_framedesc
{
  u64 arm_pts;
  u32 encoded_frame_num;
  u32 id;
  u32 time_ms;
  u32 size;
  u64 data_addr_offset;
  u32 stream_type;
  struct iav_reso reso;
  u32 stream_end : 1;
  u32 pic_type : 7;
  u32 unused : 24;
  u8 slice_num, slice_id;
  u8 tile_num, tile_id;
};

struct iav_querydesc
{
  u32 qid;
  union
  {
    struct iav_framedesc frame;
    u32 more[40];
  } arg;
};

/* Streams */

enum { IAV_INFO_STREAM = 81 };

struct iav_stream_info
{
  u32 state;
  u32 id;
};

struct iav_queryinfo
{
  u32 qid;
  union
  {
    struct iav_stream_info stream;
    u32 more[8];
  } arg;
};

struct iav_rect
{
  u32 width, height, x, y;
};

struct iav_stream_format
{
  struct iav_rect enc_win;
  u32 type;
  u32 enc_src_map;
  u8 use_enc_src_map;
  u8 enc_src_id;
};

struct iav_stream_fps
{
  u16 fps_div, fps_multi;
  u16 abs_fps;
  u16 abs_fps_enable;
};

enum { IAV_BRC_SCBR = 92 };

struct iav_bitrate
{
  u8 qp_max_on_I, qp_min_on_I;
  u8 qp_max_on_P, qp_min_on_P;
  u8 qp_max_on_B, qp_min_on_B;
  u8 qp_max_on_Q, qp_min_on_Q;
  u32 vbr_setting;
  u32 average_bitrate;
  u8 skip_flag;
};

struct iav_h26x_gop
{
  u32 id;
  u32 idr_interval;
  u32 N;
  u8 is_update_N_to_next_GOP;
};

struct iav_h26x_cfg
{
  u32 id;
  u16 M;
  u16 N;
  u32 idr_interval;
  u32 profile;
};

struct iav_mjpeg_cfg
{
  u32 quality;
  u32 id;
};

enum iav_stream_cfg_id {
  IAV_STMCFG_FORMAT = 101,
  IAV_STMCFG_FPS,
  IAV_H264_CFG_BITRATE,
  IAV_H264_CFG_GOP,
  IAV_H264_CFG_FORCE_IDR,
  IAV_H265_CFG_BITRATE,
  IAV_H265_CFG_GOP,
  IAV_H265_CFG_FORCE_IDR,
};

struct iav_stream_cfg
{
  u32 cid;
  u32 id;
  union
  {
    struct iav_stream_format format;
    struct iav_stream_fps fps;
    struct iav_bitrate h264_rc, h265_rc;
    struct iav_h26x_gop h264_gop, h265_gop;
    u32 h264_force_idr, h265_force_idr;
    u64 more[16];
  } arg;
};

#define IAV_STAND_IN_IO(number) _IO ('~', number)
#define IAV_STAND_IN_IOWR(number, type) _IOWR ('~', number, type)

#define IAV_IOC_START_ENCODE IAV_STAND_IN_IO (1)
#define IAV_IOC_STOP_ENCODE IAV_STAND_IN_IO (2)
#define IAV_IOC_ABORT_ENCODE IAV_STAND_IN_IO (3)
#define IAV_IOC_GET_IAV_STATE IAV_STAND_IN_IOWR (4, u32)
#define IAV_IOC_QUERY_MEMBLOCK IAV_STAND_IN_IOWR (5, struct iav_querymem)
#define IAV_IOC_QUERY_DESC IAV_STAND_IN_IOWR (6, struct iav_querydesc)
#define IAV_IOC_QUERY_INFO IAV_STAND_IN_IOWR (7, struct iav_queryinfo)
#define IAV_IOC_RELEASE_FRAMEDESC IAV_STAND_IN_IOWR (8, struct iav_framedesc)
#define IAV_IOC_GET_STREAM_CONFIG IAV_STAND_IN_IOWR (9, struct iav_stream_cfg)
#define IAV_IOC_SET_STREAM_CONFIG IAV_STAND_IN_IOWR (10, struct iav_stream_cfg)
#define IAV_IOC_GET_H264_CONFIG IAV_STAND_IN_IOWR (11, struct iav_h26x_cfg)
#define IAV_IOC_SET_H264_CONFIG IAV_STAND_IN_IOWR (12, struct iav_h26x_cfg)
#define IAV_IOC_GET_H265_CONFIG IAV_STAND_IN_IOWR (13, struct iav_h26x_cfg)
#define IAV_IOC_SET_H265_CONFIG IAV_STAND_IN_IOWR (14, struct iav_h26x_cfg)
#define IAV_IOC_GET_MJPEG_CONFIG IAV_STAND_IN_IOWR (15, struct iav_mjpeg_cfg)
#define IAV_IOC_SET_MJPEG_CONFIG IAV_STAND_IN_IOWR (16, struct iav_mjpeg_cfg)

#endif /* IAV_IOCTL_H */
