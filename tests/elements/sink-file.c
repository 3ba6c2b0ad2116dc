/* p2psink and files: paced by the clock, blocked and unblocked; and the end.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "sink-util.h"
#include <string.h>

/* A file is paced by the clock: nothing in PAUSED, each frame at its time plus
 * the pipeline's latency, in decoding order. */
GST_START_TEST (test_file_is_paced)
{
  File file;
  GstBuffer *buffer;
  GstClockID id;
  const FakePush *push;

  file_open (&file, "video_0", H264);
  buffer = make_buffer ("frame", 3 * GST_SECOND);
  GST_BUFFER_DTS (buffer) = 2 * GST_SECOND;
  file_push (&file, buffer);
  gst_element_send_event (file.sink, gst_event_new_latency (GST_SECOND));
  fail_unless_equals_int (gst_element_set_state (file.sink, GST_STATE_PLAYING),
                          GST_STATE_CHANGE_SUCCESS);

  gst_test_clock_wait_for_next_pending_id (file.clock, &id);
  fail_unless_equals_uint64 (gst_clock_id_get_time (id), 3 * GST_SECOND);
  gst_clock_id_unref (id);
  fail_unless_equals_int (fake_stream_count (fake_stream ("video_0")), 0);

  /* A pause takes it back, and it waits again afterwards. */
  gst_element_set_state (file.sink, GST_STATE_PAUSED);
  while (gst_test_clock_peek_id_count (file.clock) > 0)
    g_thread_yield ();
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  gst_test_clock_wait_for_next_pending_id (file.clock, NULL);
  fail_unless_equals_int (fake_stream_count (fake_stream ("video_0")), 0);

  fail_unless (gst_test_clock_crank (file.clock));
  fail_unless_equals_int (file_join (&file), GST_FLOW_OK);
  push = fake_stream_wait (fake_stream ("video_0"), 1);
  fail_unless_equals_int64 (push->frame.sent, 3 * GST_SECOND);
  fail_unless_equals_int64 (push->frame.latency, GST_SECOND);
  fail_if (push->force);
  file_close (&file);
}

GST_END_TEST;

/* A flush and each change of state end the wait for the clock. */
GST_START_TEST (test_file_is_unblocked)
{
  File file;

  file_open (&file, "video_0", H264);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  file_push (&file, make_buffer ("frame", GST_SECOND));
  gst_test_clock_wait_for_next_pending_id (file.clock, NULL);
  gst_pad_push_event (file.pad, gst_event_new_flush_start ());
  fail_unless_equals_int (file_join (&file), GST_FLOW_FLUSHING);
  gst_pad_push_event (file.pad, gst_event_new_flush_stop (FALSE));
  gst_pad_push_event (file.pad, gst_event_new_stream_start ("file"));
  {
    GstSegment segment;

    gst_segment_init (&segment, GST_FORMAT_TIME);
    gst_pad_push_event (file.pad, gst_event_new_segment (&segment));
  }
  file_push (&file, make_buffer ("frame", GST_SECOND));
  gst_test_clock_wait_for_next_pending_id (file.clock, NULL);
  gst_element_set_state (file.sink, GST_STATE_READY);
  fail_unless_equals_int (file_join (&file), GST_FLOW_FLUSHING);
  file_close (&file);
}

GST_END_TEST;

/* After a flushing seek running time begins at zero again, while the clock has
 * gone on: the frames are paced all the same, and their times go on as well. */
GST_START_TEST (test_file_after_seek)
{
  GstSegment segment;
  File file;
  const FakePush *push;

  file_open (&file, "video_0", H264);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  gst_test_clock_set_time (file.clock, 100 * GST_SECOND);
  gst_pad_push_event (file.pad, gst_event_new_flush_start ());
  gst_pad_push_event (file.pad, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 30 * GST_SECOND;
  gst_pad_push_event (file.pad, gst_event_new_segment (&segment));
  file_push (&file, make_buffer ("first", 30 * GST_SECOND));
  gst_test_clock_wait_for_next_pending_id (file.clock, NULL);
  fail_unless (gst_test_clock_crank (file.clock));
  fail_unless_equals_int (file_join (&file), GST_FLOW_OK);
  push = fake_stream_wait (fake_stream ("video_0"), 1);
  fail_unless_equals_int64 (push->frame.pts, 100 * GST_SECOND);
  file_push (&file, make_buffer ("second", 31 * GST_SECOND));
  gst_test_clock_wait_for_next_pending_id (file.clock, NULL);
  fail_unless (gst_test_clock_crank (file.clock));
  file_join (&file);
  push = fake_stream_wait (fake_stream ("video_0"), 2);
  fail_unless_equals_int64 (push->frame.pts, 101 * GST_SECOND);
  fail_unless_equals_int64 (push->frame.sent, 101 * GST_SECOND);
  file_close (&file);
}

GST_END_TEST;

/* A frame whose turn is now. */
static const P2pWireFrame *
push_now (File *file, GstTestClock *clock, GstClockTime pts, guint count)
{
  file_push (file, make_buffer ("frame", pts));
  gst_test_clock_wait_for_next_pending_id (clock, NULL);
  fail_unless (gst_test_clock_crank (clock));
  fail_unless_equals_int (file_join (file), GST_FLOW_OK);
  return &fake_stream_wait (fake_stream ("video_0"), count)->frame;
}

/* Running time stands still in a pause, and is another one of another clock: to
 * viewers time goes on. */
GST_START_TEST (test_time_goes_on)
{
  GstTestClock *other
      = GST_TEST_CLOCK (gst_test_clock_new_with_start_time (7000 * GST_SECOND));
  const P2pWireFrame *frame;
  File file;

  file_open (&file, "video_0", H264);
  gst_test_clock_set_time (file.clock, GST_SECOND);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  frame = push_now (&file, file.clock, GST_SECOND, 1);
  fail_unless_equals_int64 (frame->pts, GST_SECOND);
  fail_unless_equals_int64 (frame->sent, GST_SECOND);

  gst_element_set_state (file.sink, GST_STATE_PAUSED);
  gst_test_clock_set_time (file.clock, 61 * GST_SECOND);
  gst_element_set_base_time (file.sink, 60 * GST_SECOND);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  frame = push_now (&file, file.clock, GST_SECOND, 2);
  fail_unless_equals_int64 (frame->pts, 61 * GST_SECOND);
  fail_unless_equals_int64 (frame->sent, 61 * GST_SECOND);

  /* As a pipeline does whose live source was flushed: no pause in between. */
  gst_test_clock_set_time (file.clock, 62 * GST_SECOND);
  gst_element_set_base_time (file.sink, 62 * GST_SECOND);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  frame = push_now (&file, file.clock, 0, 3);
  fail_unless_equals_int64 (frame->pts, 62 * GST_SECOND);
  fail_unless_equals_int64 (frame->sent, 62 * GST_SECOND);

  gst_element_set_state (file.sink, GST_STATE_PAUSED);
  gst_element_set_clock (file.sink, GST_CLOCK (other));
  gst_element_set_base_time (file.sink, 6999 * GST_SECOND);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  frame = push_now (&file, other, GST_SECOND, 4);
  fail_unless_equals_int64 (frame->pts, 62 * GST_SECOND);
  fail_unless_equals_int64 (frame->sent, 62 * GST_SECOND);
  file_close (&file);
  gst_object_unref (other);
}

GST_END_TEST;

/* What may not be dropped waits for the slowest viewer, until there is room, or
 * a flush. */
GST_START_TEST (test_file_waits_for_room)
{
  P2pStream *stream;
  File file;

  file_open (&file, "data_0", NULL);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  stream = fake_stream ("data_0");
  fake_stream_set_full (stream, TRUE);
  file_push (&file, make_buffer ("bytes", GST_CLOCK_TIME_NONE));
  fake_stream_wait_refused (stream, 1);
  fake_stream_set_full (stream, FALSE);
  fail_unless_equals_int (file_join (&file), GST_FLOW_OK);
  assert_payload (fake_stream_wait (stream, 1), "bytes");

  fake_stream_set_full (stream, TRUE);
  file_push (&file, make_buffer ("more", GST_CLOCK_TIME_NONE));
  fake_stream_wait_refused (stream, 2);
  gst_pad_push_event (file.pad, gst_event_new_flush_start ());
  fail_unless_equals_int (file_join (&file), GST_FLOW_FLUSHING);
  fail_unless_equals_int (fake_stream_count (stream), 1);
  file_close (&file);
}

GST_END_TEST;

static GstBuffer *
make_large (gsize size)
{
  return gst_buffer_new_wrapped (g_malloc0 (size), size);
}

/* A buffer larger than any message: of data nothing may be missing, so that is
 * an error; of video it is a frame less, and a warning. */
GST_START_TEST (test_large_buffers)
{
  const struct
  {
    const gchar *pad, *caps;
    GstFlowReturn flow;
    GstMessageType message;
  } table[] = { { "data_0", NULL, GST_FLOW_ERROR, GST_MESSAGE_ERROR },
                { "video_0", H264, GST_FLOW_OK, GST_MESSAGE_WARNING } };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    GstMessage *message;
    File file;

    file_open (&file, table[i].pad, table[i].caps);
    gst_element_set_state (file.sink, GST_STATE_PLAYING);
    file_push (&file, make_large (P2P_STREAM_MAX_PAYLOAD));
    fail_unless_equals_int (file_join (&file), GST_FLOW_OK);
    file_push (&file, make_large (P2P_STREAM_MAX_PAYLOAD + 1));
    fail_unless_equals_int (file_join (&file), table[i].flow);
    message = gst_bus_pop_filtered (file.bus, table[i].message);
    fail_unless (message != NULL);
    gst_message_unref (message);
    fail_unless_equals_int (fake_stream_count (fake_stream (table[i].pad)), 1);
    file_close (&file);
  }
}

GST_END_TEST;

/* EOS of a pad ends its stream alone. The element says so once all have ended,
 * in PLAYING, under the event's number; a released pad counts no more. */
GST_START_TEST (test_eos)
{
  GstElement *sink = make_sink ();
  GstHarness *video = gst_harness_new_with_element (sink, "video_0", NULL);
  GstHarness *audio = gst_harness_new_with_element (sink, "audio_0", NULL);
  GstBus *bus = gst_bus_new ();
  GstEvent *eos = gst_event_new_eos ();
  guint32 seqnum = gst_event_get_seqnum (eos);
  GstMessage *message;

  gst_element_set_bus (sink, bus);
  gst_harness_set_src_caps_str (video, H264);
  gst_harness_set_src_caps_str (audio, AAC);
  gst_element_set_state (sink, GST_STATE_PAUSED);
  gst_harness_push_event (video, eos);
  fail_unless_equals_int (fake_stream_ends (fake_stream ("video_0")), 1);
  fail_unless_equals_int (fake_stream_ends (fake_stream ("audio_0")), 0);
  gst_element_set_state (sink, GST_STATE_PLAYING);
  fail_if (gst_bus_have_pending (bus)
           && gst_bus_pop_filtered (bus, GST_MESSAGE_EOS) != NULL);

  gst_element_set_state (sink, GST_STATE_PAUSED);
  gst_pad_unlink (audio->srcpad, GST_PAD_PEER (audio->srcpad));
  {
    GstPad *pad = gst_element_get_static_pad (sink, "audio_0");

    gst_element_release_request_pad (sink, pad);
    gst_object_unref (pad);
  }
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_EOS) == NULL);
  gst_element_set_state (sink, GST_STATE_PLAYING);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_EOS);
  fail_unless (message != NULL);
  fail_unless_equals_int (gst_message_get_seqnum (message), seqnum);
  gst_message_unref (message);

  gst_element_set_bus (sink, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (audio);
  gst_harness_teardown (video);
  gst_object_unref (sink);
}

GST_END_TEST;

/* FLUSH_STOP takes the end back. */
GST_START_TEST (test_flush_clears_eos)
{
  File file;
  GstMessage *message;

  file_open (&file, "video_0", H264);
  gst_element_set_state (file.sink, GST_STATE_PLAYING);
  gst_pad_push_event (file.pad, gst_event_new_eos ());
  message = gst_bus_pop_filtered (file.bus, GST_MESSAGE_EOS);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_pad_push_event (file.pad, gst_event_new_flush_start ());
  gst_pad_push_event (file.pad, gst_event_new_flush_stop (TRUE));
  gst_pad_push_event (file.pad, gst_event_new_eos ());
  message = gst_bus_pop_filtered (file.bus, GST_MESSAGE_EOS);
  fail_unless (message != NULL);
  gst_message_unref (message);
  fail_unless_equals_int (fake_stream_ends (fake_stream ("video_0")), 2);
  file_close (&file);
}

GST_END_TEST;

static Suite *
sink_file_suite (void)
{
  Suite *suite = suite_create ("p2psink, files");
  TCase *tcase = tcase_create ("sink_file");

  GST_ELEMENT_REGISTER (p2psink, NULL);
  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_file_is_paced);
  tcase_add_test (tcase, test_file_is_unblocked);
  tcase_add_test (tcase, test_file_after_seek);
  tcase_add_test (tcase, test_time_goes_on);
  tcase_add_test (tcase, test_file_waits_for_room);
  tcase_add_test (tcase, test_large_buffers);
  tcase_add_test (tcase, test_eos);
  tcase_add_test (tcase, test_flush_clears_eos);
  return suite;
}

GST_CHECK_MAIN (sink_file);
