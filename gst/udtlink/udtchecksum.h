/* Integrity without secrecy: what takes the place of the AEAD on a connection
 * without a key.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finds accidents: bits that flipped, packets of another connection. It proves
 * nothing against a person, since what keys it went over the network in clear.
 *
 * Threads: one at a time.
 */
#ifndef UDT_CHECKSUM_H
#define UDT_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UDT_CHECKSUM_SIZE 16
#define UDT_CHECKSUM_SECRET 32
#define UDT_CHECKSUM_MAX_AAD 64
#define UDT_CHECKSUM_MAX_DATA 1536

#define UDT_CHECKSUM_WORDS                                                     \
  ((UDT_CHECKSUM_MAX_AAD + UDT_CHECKSUM_MAX_DATA) / 4 + 12)

typedef struct
{
  uint32_t key[UDT_CHECKSUM_WORDS];
} UdtChecksum;

void udt_checksum_init (UdtChecksum *checksum,
                        const uint8_t secret[UDT_CHECKSUM_SECRET]);

/* FALSE: too long. */
bool udt_checksum_make (const UdtChecksum *checksum, uint64_t number,
                        const uint8_t *aad, size_t aad_len, const uint8_t *data,
                        size_t len, uint8_t tag[UDT_CHECKSUM_SIZE]);

#endif /* UDT_CHECKSUM_H */
