/* The trainer's forward pass with the weights of inference against the inference engine, on the
 * models inside the program (issue: PSNR within 0.05 dB), and both against each other in float32.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/mem.h"
#include "img/codec.h"
#include "img/protocol.h"
#include "infer/builtin.h"
#include "infer/plan.h"
#include "train/engine.h"

static const char *const pictures[] = {SLBSR_SOURCE_DIR "/data/hr/astronaut.png",
                                       SLBSR_SOURCE_DIR "/data/hr/cat.png",
                                       SLBSR_SOURCE_DIR "/data/hr/coffee.png"};
enum { PICTURES = sizeof pictures / sizeof *pictures };

typedef struct Case {
    SlbLumaPair pair;
    float *in;
    double *out;
    size_t pixels;
    int scale;
} Case;

static void load(Case *c, const char *picture, int scale)
{
    SlbImage image = {0};
    SlbError err;
    assert_int_equal(slb_image_load(picture, NULL, &image, &err), SLB_OK);
    assert_int_equal(slb_luma_pair(&image, scale, picture, &c->pair, &err), SLB_OK);
    slb_image_free(&image);
    c->scale = scale;
    c->pixels = (size_t)c->pair.width * c->pair.height;
    c->in = slb_alloc(c->pixels, sizeof *c->in);
    c->out = slb_alloc(c->pixels, sizeof *c->out);
    assert_true(c->in && c->out);
    for (size_t i = 0; i < c->pixels; i++) c->in[i] = (float)(c->pair.bicubic[i] / 255.0);
}

static void unload(Case *c)
{
    slb_luma_pair_free(&c->pair);
    slb_free(c->in);
    slb_free(c->out);
}

static double psnr(Case *c)
{
    SlbScore score;
    assert_int_equal(slb_luma_score(&c->pair, c->out, c->scale, 0, &score, NULL), SLB_OK);
    return score.psnr;
}

/* The trainer's engine in float32 with the weights that inference uses, its low layers reading
 * floats or codes. */
static double trainers(Case *c, const SlbModel *model, const SlbCpu *cpu, bool codes)
{
    SlbEngine *engine;
    SlbWeights *weights;
    SlbSlot *slot;
    assert_int_equal(slb_engine_create(model->graph,
                                       &(SlbEngineForm){.precision = SLB_FLOAT32,
                                                        .act_bits = codes ? model->act_bits : 32},
                                       cpu, &engine, NULL),
                     SLB_OK);
    assert_int_equal(slb_weights_create(engine, &weights, NULL), SLB_OK);
    assert_int_equal(slb_slot_create(engine, c->pair.width, c->pair.height, false, &slot, NULL),
                     SLB_OK);
    for (int i = 0; i < model->graph->conv_count; i++) {
        const SlbConvParams *p = &model->conv[i];
        size_t taps = (size_t)(p->kernel * p->kernel);
        float *w = slb_alloc((size_t)p->in_channels * taps, (size_t)p->out_channels * sizeof *w);
        slb_conv_effective(p, w);
        slb_weights_set(weights, engine, i, w, p->bias);
        slb_weights_set_step(weights, engine, i, p->in_step);
        slb_free(w);
    }
    slb_forward(engine, weights, slot, c->in, c->pair.width, c->pair.height);
    SlbView view = slb_slot_output(engine, slot);
    for (uint32_t y = 0; y < c->pair.height; y++)
        for (uint32_t x = 0; x < c->pair.width; x++)
            c->out[(size_t)y * c->pair.width + x] =
                255.0 * (double)view.data[(y * view.row + x) * view.stride];
    slb_slot_free(slot);
    slb_weights_free(weights);
    slb_engine_free(engine);
    return psnr(c);
}

static double engines(Case *c, const SlbModel *model, const SlbCpu *cpu, bool packed)
{
    SlbPlan *plan;
    SlbError err = {0};
    const SlbPlanOptions options = {.packed = packed, .level = cpu->level, .threads = 2};
    if (slb_plan_create(model, &options, &plan, &err) != SLB_OK) fail_msg("%s", err.message);
    float *out = slb_alloc(c->pixels, sizeof *out);
    assert_int_equal(
        slb_plan_run(plan, c->in, out, c->pair.width, c->pair.height, NULL, NULL, &err), SLB_OK);
    for (size_t i = 0; i < c->pixels; i++) c->out[i] = 255.0 * (double)out[i];
    slb_free(out);
    slb_plan_free(plan);
    return psnr(c);
}

/* One model on one picture; in float32 only where asked, since that is slow. */
static void compare(Case *c, const char *name, const SlbModel *model, bool also_float)
{
    SlbCpu cpu;
    slb_cpu_detect(&cpu);
    double trained = trainers(c, model, &cpu, false);
    print_message("%s x%d: trainer %.4f dB", name, c->scale, trained);
    if (also_float) {
        double floats = engines(c, model, &cpu, false);
        print_message(", engine in float32 %.4f", floats);
        if (!(fabs(trained - floats) <= 0.001))
            fail_msg("%s: %g dB by the trainer, %g by the engine", name, trained, floats);
    }
    if (model->act_bits == 8) {
        double packed = engines(c, model, &cpu, true), codes = trainers(c, model, &cpu, true);
        print_message(", on codes %.4f, packed %.4f", codes, packed);
        if (!(fabs(trained - packed) <= 0.05))
            fail_msg("%s: %g dB by the trainer, %g packed", name, trained, packed);
        if (!(fabs(codes - packed) <= 0.01))
            fail_msg("%s: on codes %g dB by the trainer, %g packed", name, codes, packed);
    }
    print_message("\n");
}

static void test_parity(void **state)
{
    (void)state;
    size_t count;
    const SlbBuiltin *models = slb_builtins(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        SlbModel *model;
        assert_int_equal(slb_model_open(models[i].name, NULL, &model, NULL), SLB_OK);
        for (int p = 0; p < PICTURES; p++)
            for (int scale = 2; scale <= 4; scale++) {
                bool first = p == 0 && scale == 2;
                if (!first && model->act_bits != 8) continue;
                Case c;
                load(&c, pictures[p], scale);
                compare(&c, models[i].name, model, first);
                unload(&c);
            }
        slb_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parity)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
