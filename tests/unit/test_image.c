#include "base/mem.h"
#include "unit/picture.h"

static void test_alloc_and_free(void **state)
{
    SlbImage image = {0};
    SlbError err = {0};
    SlbImageInfo info = {7, 3, 3, 16};
    (void)state;
    assert_int_equal(slb_row_bytes(&info), 7 * 3 * 2);
    assert_ok(slb_image_alloc(&image, info, &err), &err);
    assert_true(image.stride_bytes >= 42);
    assert_int_equal((uintptr_t)image.data % SLB_ALIGN, 0);
    memset(image.data, 1, image.stride_bytes * 3);
    image.meta.icc.data = slb_alloc(4, 1);
    slb_image_free(&image);
    assert_null(image.data);
    assert_null(image.meta.icc.data);
    assert_int_equal(image.info.width, 0);
    slb_image_free(&image); /* safe twice */
}

static void test_row_bytes_of_the_widest(void **state)
{
    SlbImageInfo info = {UINT32_MAX, 1, 4, 16};
    (void)state;
    assert_true(slb_row_bytes(&info) == (size_t)UINT32_MAX * 8);
}

static void test_sizes_that_no_memory_holds(void **state)
{
    static const SlbImageInfo infos[] = {{UINT32_MAX, UINT32_MAX, 4, 16},
                                         {UINT32_MAX, UINT32_MAX, 1, 8},
                                         {1u << 31, 1u << 31, 4, 8}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        SlbImage image = {0};
        SlbError err = {0};
        assert_int_equal(slb_image_alloc(&image, infos[i], &err), SLB_E_MEMORY);
        assert_null(image.data);
        assert_int_equal(err.status, SLB_E_MEMORY);
        assert_non_null(strstr(err.message, "memory"));
    }
}

static void test_failing_malloc(void **state)
{
    SlbImage image = {0};
    SlbError err = {0};
    (void)state;
    slb_mem_fail_at(1);
    SlbStatus status = slb_image_alloc(&image, (SlbImageInfo){2, 2, 1, 8}, &err);
    slb_mem_fail_at(0);
    assert_int_equal(status, SLB_E_MEMORY);
    slb_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_and_free),
        cmocka_unit_test(test_row_bytes_of_the_widest),
        cmocka_unit_test(test_sizes_that_no_memory_holds),
        cmocka_unit_test(test_failing_malloc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
