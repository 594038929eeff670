/* The models inside the program. How many there are depends on weights/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/embed.h"
#include "infer/builtin.h"
#include "net/figures.h"

static void test_the_table_is_what_was_embedded(void **state)
{
    (void)state;
    size_t count, models = 0;
    const SlbBuiltin *all = slb_builtins(&count);
    for (const SlbEmbed *e = slb_embed; e->name; e++) {
        const char *end = strstr(e->name, ".safetensors");
        if (!end) continue;
        assert_true(models < count);
        assert_int_equal(strlen(all[models].name), end - e->name);
        assert_memory_equal(all[models].name, e->name, (size_t)(end - e->name));
        assert_ptr_equal(all[models].data, e->data);
        assert_int_equal(all[models].bytes, e->end - e->data);
        models++;
    }
    assert_int_equal(models, count);
}

static void test_every_model_can_be_opened_and_is_matched_or_beaten(void **state)
{
    (void)state;
    size_t count;
    const SlbBuiltin *all = slb_builtins(&count);
    for (size_t i = 0; i < count; i++) {
        SlbError err = {0};
        SlbModel *model = NULL;
        assert_int_equal(slb_model_open(all[i].name, NULL, &model, &err), SLB_OK);
        assert_true(*model->scales && *model->command); /* a model says what made it */
        for (int scale = 2; scale <= 4; scale++) {
            const SlbBuiltin *best;
            SlbModel *other = NULL;
            if (slb_scales_serve(model->scales, scale) != SLB_SERVES_TRAINED) continue;
            assert_int_equal(slb_builtin_best(model->weight_bits, scale, &best, &err), SLB_OK);
            assert_int_equal(slb_model_open(best->name, NULL, &other, &err), SLB_OK);
            assert_int_equal(other->weight_bits, model->weight_bits);
            assert_int_equal(slb_scales_serve(other->scales, scale), SLB_SERVES_TRAINED);
            assert_true(slb_figures_gain(other->figures, scale) >=
                        slb_figures_gain(model->figures, scale));
            assert_true(slb_figures_gain(other->figures, scale) > 0.0);
            slb_model_free(other);
        }
        slb_model_free(model);
    }
}

static void test_what_is_not_there_is_said(void **state)
{
    (void)state;
    SlbError err = {0};
    SlbModel *model = NULL;
    const SlbBuiltin *best;
    assert_int_equal(slb_builtin_best(3, 2, &best, &err), SLB_E_UNBUILT);
    assert_null(best);
    assert_non_null(strstr(err.message, "3 bits"));
    size_t count;
    const SlbBuiltin *all = slb_builtins(&count);
    for (size_t i = 0; i < count; i++) {
        SlbError other = {0};
        SlbModel *m = NULL;
        assert_int_equal(slb_model_open(all[i].name, NULL, &m, &other), SLB_OK);
        if (slb_scales_serve(m->scales, 2) != SLB_SERVES_NOT)
            assert_non_null(strstr(err.message, all[i].name));
        slb_model_free(m);
    }
    assert_int_equal(slb_model_open("no such model", NULL, &model, &err), SLB_E_MODEL);
    assert_non_null(strstr(err.message, "no such model"));
    assert_null(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_what_was_embedded),
        cmocka_unit_test(test_every_model_can_be_opened_and_is_matched_or_beaten),
        cmocka_unit_test(test_what_is_not_there_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
