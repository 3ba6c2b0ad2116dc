/* A deterministic discrete-event simulation of two connections, the path
 * between them and the applications on both ends.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Virtual time in microseconds, one event heap, one seed: the same seed gives
 * the same run, byte for byte. After every event the invariants are checked;
 * the first that does not hold ends the run and says with which seed to see it
 * again. A simulation belongs to one thread and shares nothing with another.
 */
#ifndef SIM_H
#define SIM_H

#include "ivbitrate.h"
#include "simbase.h"

typedef struct _Sim Sim;
typedef struct _SimPeer SimPeer;
typedef struct _SimFlow SimFlow;
typedef struct _SimLink SimLink;
typedef struct _SimSource SimSource;

/* ---- packets on the way ------------------------------------------------ */

#define SIM_IP_UDP_OVERHEAD                                                    \
  28 /* what a packet weighs on the link beyond its                            \
        payload: IPv4 and UDP */

typedef enum {
  SIM_MARK_RETRANSMIT = 1 << 0, /* repeats bytes sent before */
  SIM_MARK_ACK = 1 << 1,
  SIM_MARK_NAK = 1 << 2,
  SIM_MARK_PROBE = 1 << 3,
  SIM_MARK_PAYLOAD = 1 << 4, /* bytes of messages for the first time */
} SimMark;

typedef struct _SimPacket SimPacket;
struct _SimPacket
{
  SimPacket *next; /* in a queue or in the spare list */
  SimPacket *all;  /* every packet of a simulation */
  UdtTime sent;
  uint64_t index;   /* counts the packets of one direction */
  unsigned marks;   /* only if Sim.mark_packets */
  uint32_t watched; /* bit n: holds the bytes of watch n */
  bool cross;       /* someone else's; never delivered to us */
  size_t len;
  uint8_t data[UDT_MAX_PACKET + 64];
};

/* ---- the path ---------------------------------------------------------- */

typedef enum {
  SIM_JITTER_NONE,
  SIM_JITTER_UNIFORM, /* 0 to jitter_amount */
  SIM_JITTER_GAUSS,   /* deviation jitter_amount, never early */
  SIM_JITTER_WIFI,    /* about 1 ms, at times a multiple of 7.5 ms */
} SimJitter;

#define SIM_MAX_STEPS 8

typedef struct
{
  UdtTime at;
  uint64_t value;
} SimStep;

typedef struct
{
  uint64_t rate; /* bit/s; 0: no limit */
  UdtTime delay; /* one way */
  SimJitter jitter;
  UdtTime jitter_amount;
  bool jitter_reorders; /* else packets wait for those before them */
  UdtTime clump;        /* what arrives within it arrives at its end */

  double loss;                     /* of each packet by itself */
  double burst_enter, burst_leave; /* Gilbert-Elliott: good to bad and
                                      back, per packet */
  double burst_loss;               /* while bad */
  const uint64_t *loss_mask;       /* bit n set: packet n of this direction is
                                      lost; mask_words words, then repeated */
  size_t mask_words;

  double reorder; /* share that takes reorder_delay longer */
  UdtTime reorder_delay;
  double duplicate, corrupt, truncate;

  size_t queue_limit; /* bytes waiting at the bottleneck; 0: none */
  size_t bucket;      /* so many pass at bucket_rate after a pause */
  uint64_t bucket_rate;
  size_t mtu;         /* larger UDP payloads vanish; 0: none do */

  UdtTime freeze_first, freeze_every; /* nothing arrives for freeze_for, */
  UdtTime freeze_for;                 /* then all of it at once */
  unsigned freeze_count;
  UdtTime down_from, down_until; /* everything in between is lost */

  SimStep rate_steps[SIM_MAX_STEPS]; /* by time */
  size_t n_rate_steps;
  SimStep mtu_steps[SIM_MAX_STEPS];
  size_t n_mtu_steps;

  uint64_t cross_rate;         /* someone else's packets on this link, bit/s */
  UdtTime cross_on, cross_off; /* its mean busy and idle times; 0: always on */
} SimLinkConfig;

typedef bool (*SimFilter) (void *user, Sim *sim, const SimPacket *packet);

typedef struct
{
  uint64_t offered, offered_bytes; /* by the engine */
  uint64_t delivered, delivered_bytes;
  uint64_t lost, overflowed, oversized, filtered;
  uint64_t duplicated, corrupted, reordered;
  UdtTime max_transit; /* of any delivered packet, queue included */
  size_t max_queue;
} SimLinkStats;

/* Messages are cut from this many random bytes, round and round. A prime, so
 * that no fragment size divides it and a fragment put in the wrong place shows.
 */
#define SIM_CONTENT_BYTES 262139

/* ---- the ends ---------------------------------------------------------- */

#define SIM_MAX_FLOWS 16
#define SIM_MAX_WATCHES 32
#define SIM_WATCH_BYTES 16

typedef struct
{
  uint32_t size;
  uint8_t flags;
  bool released, delivered;
  bool refused; /* too late; has a number all the same */
  UdtTime submitted;
  UdtTime deadline; /* resolved; UDT_DEADLINE_NONE: none */
  UdtTime handed;   /* to the application on the other end */
} SimMessage;

/* What one end sends on one flow, and what the other end saw of it. */
struct _SimFlow
{
  SimPeer *sender;
  uint16_t id;
  bool used, open;
  bool expect_all; /* no deadline, never closed: all must come */
  UdtFlowConfig config;
  uint32_t generation; /* how often it was opened again */

  SimMessage *messages; /* by id */
  size_t n_messages, capacity;
  uint64_t refused_full, refused_late, refused_depends;
  uint64_t released;
  uint64_t bytes_accepted;

  /* Receiver's side. */
  uint64_t delivered, bytes_delivered;
  uint64_t next_id;    /* the lowest that a STRICT flow may deliver */
  uint64_t gaps_told;  /* by UDT_EVENT_GAP */
  uint64_t drops_told; /* to the sender, by UDT_EVENT_DROPPED */
  UdtTime last_drop;   /* when the sender was last told */
  bool need_sync;
  UdtTime last_handed;
  bool held;
};

struct _SimPeer
{
  Sim *sim;
  unsigned index;
  UdtConnection *conn;
  UdtConfig config;
  SimMemory memory;
  SimSeal seal_out, seal_in;
  SimNumberSet numbers; /* sealed so far */
  SimRandom random;     /* what the engine draws from */
  int64_t clock_offset; /* this host's clock minus virtual time */
  double clock_drift;   /* parts of one */
  bool clock_jumped;
  SimFlow flows[SIM_MAX_FLOWS];
  void *owners;

  uint8_t watch[SIM_MAX_WATCHES][SIM_WATCH_BYTES];
  uint32_t n_watches;
  uint32_t sealed_watches; /* found in the packet just sealed */

  /* The socket: refuses packets fail_first .. + fail_count of this end. */
  uint64_t send_attempts, send_failures;
  uint64_t send_fail_first, send_fail_count;

  uint64_t wake_generation;
  uint64_t calls; /* into the engine, for cost */
  uint64_t wakes; /* by the timer */
  UdtTime instant;
  uint64_t instant_packets;  /* sent at that instant */
  bool serving, serve_again; /* sim_peer_service() is at work */
  bool reading;              /* hands messages to the application */

  uint64_t memory_base; /* without received messages; set by the first
                           message in either direction */
  uint64_t packets_out, bytes_out;
  uint64_t payload_bytes_out; /* of accepted messages, headers included */

  /* Events seen. */
  uint64_t connected, writable, closed, dead, resets, drops, gaps, path_mtus;
  uint32_t close_code;
  bool closed_by_peer;
  char close_reason[UDT_MAX_CLOSE_REASON + 1];
  uint64_t path_mtu;
  bool told_full; /* a WRITABLE is owed */
};

typedef struct
{
  SimLinkConfig link[2]; /* link[i] leads away from peer i */
  UdtConfig udt[2];
  int64_t clock_offset[2];
  double clock_drift[2];
  UdtTime timer_slack; /* how late a host's timers are at most */
  bool null_seal;      /* packets stay readable and forgeable */
} SimConfig;

typedef void (*SimCallback) (Sim *sim, void *arg, uint64_t value);

typedef struct
{
  UdtTime at;
  uint64_t order;
  SimCallback call;
  void *arg;
  uint64_t value;
} SimEvent;

struct _Sim
{
  uint64_t seed;
  SimConfig config;
  SimRandom random;
  UdtTime now;
  SimEvent *heap;
  size_t n_events, heap_size;
  uint64_t order;
  uint64_t events; /* handled so far */
  SimPeer peer[2];
  SimLink *link[2];
  SimPacket *spare, *packets;
  SimSource *sources;
  uint8_t *content; /* the bytes that messages are cut from */
  uint64_t trace;   /* hash of every packet and its time */

  bool mark_packets;
  bool freed;       /* connections gone */
  bool lossy_close; /* deliberate: reliable data may be missing */
  bool failed;
  char failure[320];
};

/* A duplex link of 20 Mbit/s, 20 ms each way, with a queue of 100 ms, and the
 * engine's defaults; everything else off. */
void sim_config_init (SimConfig *config);
void sim_config_both (SimConfig *config, const SimLinkConfig *link);
Sim *sim_new (const SimConfig *config, uint64_t seed);
void sim_free (Sim *sim);

void sim_at (Sim *sim, UdtTime when, SimCallback call, void *arg,
             uint64_t value);
void sim_run_until (Sim *sim, UdtTime when);
void sim_run_for (Sim *sim, UdtTime time);
/* Until done() says so; false: `limit` passed first, or the run failed. */
bool sim_run_to (Sim *sim, bool (*done) (Sim *sim, void *user), void *user,
                 UdtTime limit);
/* Until both ends know each other. */
bool sim_connect (Sim *sim);
/* Stops the sources, lets everything arrive, waits for silence, closes, frees,
 * and checks all that must hold at the end of a run. */
bool sim_finish (Sim *sim);
/* The same without the close: what is left is freed as it stands. */
bool sim_abandon (Sim *sim);

void sim_fail (Sim *sim, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/* Links. */
SimLink *sim_link_new (Sim *sim, unsigned from, const SimLinkConfig *config);
void sim_link_free (SimLink *link);
void sim_link_send (SimLink *link, SimPacket *packet);
void sim_link_set_filter (SimLink *link, SimFilter filter, void *user);
SimLinkConfig *sim_link_config (SimLink *link);
const SimLinkStats *sim_link_stats (const SimLink *link);
/* How long the link has been down or frozen at a stretch, at most. */
UdtTime sim_link_outage (const SimLink *link);
/* No loss, damage, doubles or detours from here on. */
void sim_link_calm (SimLink *link);
bool sim_link_is_idle (const SimLink *link);
SimPacket *sim_packet_new (Sim *sim);
void sim_packet_free (Sim *sim, SimPacket *packet);

/* Ends. */
bool sim_peer_init (SimPeer *peer, Sim *sim, unsigned index);
/* Frees the connection, then checks that nothing of it is left. */
void sim_peer_finish (SimPeer *peer);
void sim_peer_clear (SimPeer *peer);
UdtTime sim_peer_now (const SimPeer *peer);
void sim_peer_input (SimPeer *peer, uint8_t *data, size_t len);
/* Lets the engine do whatever it has to do now, and arms its timer. */
void sim_peer_service (SimPeer *peer);
SimPeer *sim_peer_other (SimPeer *peer);
void sim_peer_jump_clock (SimPeer *peer, int64_t by);
void sim_peer_stats (const SimPeer *peer, UdtStats *stats);

/* Flows and messages. */
SimFlow *sim_flow_open (Sim *sim, unsigned peer, uint16_t id,
                        const UdtFlowConfig *config);
SimFlow *sim_flow_find (SimPeer *sender, uint16_t id);
void sim_flow_close (SimFlow *flow);
/* A closed flow's id again; whatever was on the way must have settled. */
void sim_flow_reopen (SimFlow *flow);
void sim_flow_hold (SimFlow *flow, bool hold);
/* Sends the flow's next message, of `size` bytes in all. */
UdtStatus sim_flow_send (SimFlow *flow, uint32_t size, unsigned flags);
bool sim_flow_is_drained (SimFlow *flow);
bool sim_flow_all_delivered (SimFlow *flow);
void sim_flow_received (SimPeer *receiver, const UdtReceived *message);
void sim_flow_clear (SimFlow *flow);
void sim_flow_check_end (SimFlow *flow);
/* Packets of `flow`'s sender that hold the bytes of message `id` at `offset`
 * are marked in SimPacket.watched with the bit returned. */
uint32_t sim_watch (SimFlow *flow, uint64_t id, uint32_t offset);

typedef struct
{
  uint64_t accepted, delivered, missing;
  uint64_t late; /* after more than the limit given */
  uint64_t keys, keys_delivered;
  UdtTime mean, p50, p99, max; /* from submission to hand-over */
  UdtTime completed;           /* when the last was handed over */
  uint64_t bytes;
} SimReport;

void sim_flow_report (const SimFlow *flow, UdtTime late, SimReport *report);

/* Applications that send. */
typedef enum {
  SIM_SOURCE_VIDEO,  /* frames; a keyframe opens each group */
  SIM_SOURCE_STEADY, /* messages of one size at one interval */
  SIM_SOURCE_BULK,   /* as fast as the send buffer takes it */
} SimSourceKind;

typedef struct
{
  SimSourceKind kind;
  uint16_t flow;
  UdtFlowConfig config;
  UdtTime start, stop; /* stop 0: until the end of the run */
  UdtTime interval;
  uint64_t bitrate; /* video */
  uint64_t min_bitrate;
  unsigned group;      /* frames from keyframe to keyframe */
  unsigned key_weight; /* a keyframe is so many times larger */
  bool follow;         /* video: obey the engine's target, as p2psink has it */
  uint32_t size;       /* of a message */
  uint64_t total;      /* bulk: bytes in all */
} SimSourceConfig;

struct _SimSource
{
  SimSource *next;
  Sim *sim;
  SimSourceConfig config;
  SimFlow *flow;
  uint64_t sent_bytes, frames, in_group;
  uint64_t keys_forced;
  bool done, stopped;
  BitratePolicy policy; /* video that follows */
  UdtTime policy_at;
};

void sim_source_video (SimSourceConfig *config, uint16_t flow,
                       uint64_t bitrate);
void sim_source_audio (SimSourceConfig *config, uint16_t flow);
void sim_source_command (SimSourceConfig *config, uint16_t flow);
void sim_source_bulk (SimSourceConfig *config, uint16_t flow, uint64_t total);
SimSource *sim_source_add (Sim *sim, unsigned peer,
                           const SimSourceConfig *config);
void sim_source_writable (SimPeer *peer);
bool sim_source_all_done (Sim *sim);

#endif /* SIM_H */
