/* The public face of the sources of encoder chips, compared with what is
 * written down in golden/: nothing of it changes unnoticed. How to write it
 * down anew: tests/elements/describe.h.
 *
 *   hal-inspect ELEMENT...
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gst/base/gstbasesink.h>
#include <gst/base/gstpushsrc.h>
#include <gst/check/gstcheck.h>

#include "elements/describe.h"

static gchar **names;

GST_START_TEST (test_golden)
{
  GstElement *element = gst_element_factory_make (names[__i__], NULL);
  gboolean source;

  fail_unless (element != NULL, "no %s", names[__i__]);
  source = GST_IS_BASE_SRC (element);
  gst_object_unref (element);
  compare_element (names[__i__],
                   source ? GST_TYPE_PUSH_SRC : GST_TYPE_BASE_SINK);
}

GST_END_TEST;

int
main (int argc, char **argv)
{
  Suite *suite = suite_create ("soc-inspect");
  TCase *cases = tcase_create ("golden");

  gst_check_init (&argc, &argv);
  names = argv + 1;
  suite_add_tcase (suite, cases);
  tcase_add_loop_test (cases, test_golden, 0, argc - 1);
  return gst_check_run_suite (suite, "soc-inspect", __FILE__);
}
