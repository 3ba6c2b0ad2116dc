/* Start codes and NAL unit headers.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "halnal.h"

/* Offset of the next 00 00 01 at or after from; size if there is none. */
static size_t
find_start_code (const uint8_t *data, size_t size, size_t from)
{
  size_t i = from;

  while (i + 3 <= size) {
    if (data[i + 2] > 1)
      i += 3;
    else if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1)
      return i;
    else
      i++;
  }
  return size;
}

static unsigned
nal_type (HalCodec codec, uint8_t header)
{
  return codec == HAL_CODEC_H265 ? (header >> 1) & 0x3f : header & 0x1f;
}

bool
hal_nal_next (HalCodec codec, const uint8_t *data, size_t size,
              size_t *position, HalNal *ret_nal)
{
  size_t start = find_start_code (data, size, *position);
  size_t end;

  if (start >= size || start + 3 >= size) {
    *position = size;
    return false;
  }
  start += 3;
  end = find_start_code (data, size, start);
  *position = end;
  while (end > start + 1 && data[end - 1] == 0)
    end--;
  ret_nal->data = data + start;
  ret_nal->size = end - start;
  ret_nal->type = nal_type (codec, data[start]);
  return true;
}

bool
hal_nal_is_vcl (HalCodec codec, unsigned type)
{
  return codec == HAL_CODEC_H265 ? type < 32 : type >= 1 && type <= 5;
}

bool
hal_nal_is_key (HalCodec codec, unsigned type)
{
  return codec == HAL_CODEC_H265 ? type >= 16 && type <= 23 : type == 5;
}

bool
hal_nal_is_sps (HalCodec codec, unsigned type)
{
  return type == (codec == HAL_CODEC_H265 ? 33u : 7u);
}

/* Copies at most n bytes from the front; returns how many. */
static size_t
peek (const HalSegment *segments, unsigned n_segments, uint8_t *out, size_t n)
{
  size_t have = 0;
  unsigned i;

  for (i = 0; i < n_segments && have < n; i++) {
    size_t k;

    for (k = 0; k < segments[i].size && have < n; k++)
      out[have++] = segments[i].data[k];
  }
  return have;
}

bool
hal_frame_starts_well (HalCodec codec, const HalSegment *segments,
                       unsigned n_segments)
{
  uint8_t head[5];
  size_t n = peek (segments, n_segments, head, sizeof head);

  if (codec == HAL_CODEC_JPEG)
    return n >= 2 && head[0] == 0xff && head[1] == 0xd8;
  if (n >= 4 && head[0] == 0 && head[1] == 0 && head[2] == 1)
    return true;
  return n >= 5 && head[0] == 0 && head[1] == 0 && head[2] == 0 && head[3] == 1;
}

bool
hal_frame_is_key (HalCodec codec, const HalSegment *segments,
                  unsigned n_segments)
{
  unsigned zeros = 0;
  bool header_next = false;
  unsigned i;

  if (codec == HAL_CODEC_JPEG)
    return true;
  for (i = 0; i < n_segments; i++) {
    const uint8_t *data = segments[i].data;
    size_t size = segments[i].size;
    size_t k;

    for (k = 0; k < size; k++) {
      if (header_next) {
        unsigned type = nal_type (codec, data[k]);

        if (hal_nal_is_vcl (codec, type))
          return hal_nal_is_key (codec, type);
        header_next = false;
      }
      if (data[k] == 0) {
        zeros++;
      } else {
        header_next = data[k] == 1 && zeros >= 2;
        zeros = 0;
      }
    }
  }
  return false;
}
