/* bench-udt4: a bulk transfer over libudt 4, checked byte by byte.
 *
 *   bench-udt4 receive PORT
 *   bench-udt4 send ADDRESS PORT
 *
 * The receiver writes "at US BYTES" after every 100 ms or so in which something
 * came, and "wrong" if a byte was. Both run until they are killed. One thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "content.h"

#include <arpa/inet.h>
#include <cstdio>
#include <udt/udt.h>

#define BLOCK 65536
#define SAMPLE_US 100000

static int
fail (const char *what)
{
  printf ("error %s: %s\n", what, UDT::getlasterror ().getErrorMessage ());
  return 1;
}

static int
receive (UDTSOCKET listener, sockaddr_in *address, const uint8_t *pattern)
{
  static char data[BLOCK];
  uint64_t bytes = 0, told = 0;
  int length = sizeof *address;
  UDTSOCKET peer;

  address->sin_addr.s_addr = INADDR_ANY;
  if (UDT::bind (listener, (sockaddr *)address, sizeof *address) == UDT::ERROR
      || UDT::listen (listener, 1) == UDT::ERROR)
    return fail ("listen");
  printf ("ready\n");
  peer = UDT::accept (listener, (sockaddr *)address, &length);
  if (peer == UDT::INVALID_SOCK)
    return fail ("accept");
  for (;;) {
    int n = UDT::recv (peer, data, sizeof data, 0);
    uint64_t now = content_now_us ();

    if (n == UDT::ERROR)
      return fail ("recv");
    for (int i = 0; i < n;) {
      uint64_t at = (bytes + (uint64_t)i) % CONTENT_PATTERN;
      int run = n - i;

      if ((uint64_t)run > CONTENT_PATTERN - at)
        run = (int)(CONTENT_PATTERN - at);
      if (memcmp (data + i, pattern + at, (size_t)run) != 0)
        printf ("wrong\n");
      i += run;
    }
    bytes += (uint64_t)n;
    if (now - told >= SAMPLE_US) {
      printf ("at %llu %llu\n", (unsigned long long)now,
              (unsigned long long)bytes);
      told = now;
    }
  }
}

static int
send_all (UDTSOCKET peer, sockaddr_in *address, const uint8_t *pattern)
{
  uint64_t bytes = 0;

  if (UDT::connect (peer, (sockaddr *)address, sizeof *address) == UDT::ERROR)
    return fail ("connect");
  for (;;) {
    uint64_t at = bytes % CONTENT_PATTERN;
    uint64_t run = CONTENT_PATTERN - at < BLOCK ? CONTENT_PATTERN - at : BLOCK;
    int n = UDT::send (peer, (const char *)pattern + at, (int)run, 0);

    if (n == UDT::ERROR)
      return fail ("send");
    bytes += (uint64_t)n;
  }
}

int
main (int argc, char **argv)
{
  bool sending = argc == 4 && strcmp (argv[1], "send") == 0;
  uint8_t *pattern = content_pattern_new ();
  sockaddr_in address = {};
  UDTSOCKET sock;

  setvbuf (stdout, NULL, _IOLBF, 0);
  if (!pattern || (!sending && (argc != 3 || strcmp (argv[1], "receive") != 0)))
    return 2;
  address.sin_family = AF_INET;
  address.sin_port = htons ((uint16_t)atoi (argv[argc - 1]));
  if (sending && inet_pton (AF_INET, argv[2], &address.sin_addr) != 1)
    return 2;
  UDT::startup ();
  sock = UDT::socket (AF_INET, SOCK_STREAM, 0);
  return sending ? send_all (sock, &address, pattern)
                 : receive (sock, &address, pattern);
}
