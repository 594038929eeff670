/* Weight levels: their values against the paper, packing and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "quant/levels.h"

static void test_values_are_those_of_the_paper(void **state)
{
    (void)state;
    assert_null(slb_levels(0));
    assert_null(slb_levels(3));
    assert_null(slb_levels(8));
    assert_null(slb_levels(32));
    const double two[] = {-1.0, -1.0 / 3, 1.0 / 3, 1.0};
    for (int i = 0; i < 4; i++) assert_true(slb_level_value(slb_levels(2), i) == two[i]);
    assert_true(slb_level_value(slb_levels(1), 0) == -1.0);
    assert_true(slb_level_value(slb_levels(1), 1) == 1.0);
    const SlbLevels *four = slb_levels(4);
    assert_int_equal(four->count, 16);
    for (int i = 0; i < 16; i++) {
        assert_true(slb_level_value(four, i) == -slb_level_value(four, 15 - i));
        assert_int_equal(slb_level_integer(four, i), 2 * i - 15);
    }
}

static void test_packed_form_is_the_documented_one(void **state)
{
    (void)state;
    uint8_t packed[2];
    slb_pack(slb_levels(2), (const uint8_t[]){1, 2, 3, 0, 2}, 5, packed);
    assert_int_equal(packed[0], 1 | 2 << 2 | 3 << 4);
    assert_int_equal(packed[1], 2);
    slb_pack(slb_levels(1), (const uint8_t[]){1, 0, 0, 0, 0, 0, 0, 1, 1}, 9, packed);
    assert_int_equal(packed[0], 0x81);
    assert_int_equal(packed[1], 1);
    slb_pack(slb_levels(4), (const uint8_t[]){15, 3, 9}, 3, packed);
    assert_int_equal(packed[0], 0x3f);
    assert_int_equal(packed[1], 9);
}

static void test_pack_and_unpack_are_inverse(void **state)
{
    (void)state;
    SlbRng rng = slb_rng(1, 2, 3);
    uint8_t index[67], back[67], packed[68];
    for (int bits = 1; bits <= 4; bits *= 2) {
        const SlbLevels *levels = slb_levels(bits);
        for (size_t count = 0; count <= 67; count++) {
            for (size_t i = 0; i < count; i++)
                index[i] = (uint8_t)slb_rng_below(&rng, (uint64_t)levels->count);
            size_t bytes = slb_packed_bytes(levels, count);
            assert_int_equal(bytes, (count * (size_t)bits + 7) / 8);
            memset(packed, 0xee, sizeof packed);
            slb_pack(levels, index, count, packed);
            assert_int_equal(packed[bytes], 0xee);
            memset(back, 0xee, sizeof back);
            assert_true(slb_unpack(levels, packed, count, back));
            assert_memory_equal(index, back, count);
            if (count * (size_t)bits % 8 == 0) continue;
            packed[bytes - 1] |= 0x80; /* a bit behind the end */
            assert_false(slb_unpack(levels, packed, count, back));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_those_of_the_paper),
        cmocka_unit_test(test_packed_form_is_the_documented_one),
        cmocka_unit_test(test_pack_and_unpack_are_inverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
