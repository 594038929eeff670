/* The order of sums: whatever the number of processes, their blocks are nodes of one tree, and all
 * of it together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "base/rng.h"
#include "train/tree.h"

enum { MOST = 67 };

/* A sum that knows its order: no two expressions have the same value. */
static uint64_t plus(uint64_t a, uint64_t b)
{
    SlbRng rng = slb_rng(a, b, 0);
    return slb_rng_next(&rng);
}

static uint64_t node(int parts, int first, int span)
{
    if (span == 1) return (uint64_t)first;
    uint64_t left = node(parts, first, span / 2);
    return first + span / 2 < parts ? plus(left, node(parts, first + span / 2, span / 2)) : left;
}

static void test_blocks(void **state)
{
    (void)state;
    for (int parts = 1; parts <= MOST; parts++)
        for (int size = 1; size <= parts; size++) {
            uint64_t sum[MOST] = {0};
            bool there[MOST] = {false};
            int at = 0;
            for (int rank = 0; rank < size; rank++) {
                int to = slb_tree_share(parts, rank + 1, size);
                assert_int_equal(at, slb_tree_share(parts, rank, size));
                assert_true(at < to);
                for (; at < to;) {
                    int span = slb_tree_block(parts, at, to);
                    sum[at] = node(parts, at, span);
                    there[at] = true;
                    at = at + span < parts ? at + span : parts;
                }
                assert_int_equal(at, to);
            }
            assert_int_equal(at, parts);
            for (int span = 1; span < parts; span *= 2) /* as exchange.c does */
                for (int p = 0; p + span < parts; p += 2 * span)
                    if (there[p + span]) {
                        assert_true(there[p]);
                        sum[p] = plus(sum[p], sum[p + span]);
                        there[p + span] = false;
                    }
            int whole = 1;
            while (whole < parts) whole *= 2;
            assert_true(sum[0] == node(parts, 0, whole));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
