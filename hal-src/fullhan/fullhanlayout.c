/* Where things are in the structures of each generation, as data.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fullhanlayout.h"

#include "halbackend.h"

static const FhLayout layouts[] = {
  {
      .generation = FH_A,
      .name = "a",
      .config_size = sizeof (FhConfigA),
      .config_rc = offsetof (FhConfigA, rc_mode),
      .stream = {
        .size = sizeof (FhStreamA),
        .channel = offsetof (FhStreamA, of.video.channel),
        .data = offsetof (FhStreamA, of.video.data),
        .length = offsetof (FhStreamA, of.video.length),
        .pts = offsetof (FhStreamA, of.video.pts),
        .n_nals = offsetof (FhStreamA, of.video.n_nals),
        .jpeg_channel = offsetof (FhStreamA, of.jpeg.channel),
        .jpeg_data = offsetof (FhStreamA, of.jpeg.data),
        .jpeg_length = offsetof (FhStreamA, of.jpeg.length),
        .jpeg_pts = offsetof (FhStreamA, of.jpeg.pts),
      },
      .change_size = sizeof (FhChangeA),
      .rc_modes = {
        { FH_RC_H264_CBR, FH_RC_H264_VBR, FH_RC_H264_AVBR, FH_NO_MODE,
          FH_RC_H264_CQP },
        { FH_RC_H265_CBR, FH_RC_H265_VBR, FH_RC_H265_AVBR, FH_NO_MODE,
          FH_RC_H265_CQP },
      },
  },
  {
      .generation = FH_B,
      .name = "b",
      .config_size = sizeof (FhConfigB),
      .config_rc = offsetof (FhConfigB, rc_mode),
      .stream = {
        .size = sizeof (FhStreamB),
        .channel = offsetof (FhStreamB, channel),
        .data = offsetof (FhStreamB, of.video.data),
        .length = offsetof (FhStreamB, of.video.length),
        .pts = offsetof (FhStreamB, of.video.pts),
        .n_nals = offsetof (FhStreamB, of.video.n_nals),
        .jpeg_channel = offsetof (FhStreamB, channel),
        .jpeg_data = offsetof (FhStreamB, of.jpeg.data),
        .jpeg_length = offsetof (FhStreamB, of.jpeg.length),
        .jpeg_pts = offsetof (FhStreamB, of.jpeg.pts),
      },
      .change_size = sizeof (FhChangeB),
      .rc_modes = {
        { FH_RC_H264_CBR, FH_RC_H264_VBR, FH_RC_H264_AVBR, FH_RC_H264_QVBR,
          FH_RC_H264_CQP },
        { FH_RC_H265_CBR, FH_RC_H265_VBR, FH_RC_H265_AVBR, FH_RC_H265_QVBR,
          FH_RC_H265_CQP },
      },
      .high_profile = true,
  },
};

static const struct
{
  uint32_t number;
  FhGeneration generation;
  const char *name;
} chips[] = {
  { 0x885600a1, FH_A, "FH8856" },     { 0x885600b1, FH_A, "FH8852" },
  { 0x8626a100, FH_A, "FH8626V100" }, { 0x8852a200, FH_A, "FH8852V200" },
  { 0x8856a200, FH_A, "FH8856V200" }, { 0x8858a200, FH_A, "FH8858V200" },
  { 0x8852a201, FH_B, "FH8852V201" }, { 0x8856a201, FH_B, "FH8856V201" },
  { 0x8858a201, FH_B, "FH8858V201" }, { 0x8852a202, FH_B, "FH8852V202" },
  { 0x8852a210, FH_B, "FH8852V210" }, { 0x8856a210, FH_B, "FH8856V210" },
  { 0x8858a210, FH_B, "FH8858V210" }, { 0x8862a100, FH_B, "FH8862" },
};

const FhLayout *
fh_layout (FhGeneration generation)
{
  return &layouts[generation - FH_A];
}

FhGeneration
fh_chip (uint32_t number, const char **ret_name)
{
  size_t i;

  for (i = 0; i < HAL_N_ELEMENTS (chips); i++) {
    if (chips[i].number == number) {
      *ret_name = chips[i].name;
      return chips[i].generation;
    }
  }
  return (FhGeneration)0;
}
