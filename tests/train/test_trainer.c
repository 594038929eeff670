/* Whole runs on a small network: the result does not depend on threads, networks learn, models hold
 * what was asked for, errors say what is wrong. */
#include "train/trainer.h"

static void test_threads(void **state)
{
    (void)state;
    static const int threads[] = {2, 3, 7};
    for (int bits = 1; bits <= 2; bits++)
        for (int p = 0; p < precisions(); p++) {
            char first[160];
            snprintf(first, sizeof first, "%s", in_folder("first"));
            SlbTrainOptions o = small(first, bits);
            o.precision = (SlbPrecision)p;
            o.act_bits = bits == 1 ? 1 : 0;
            o.overwrite = true;
            train(&o, SLB_OK);
            for (size_t i = 0; i < 3; i++) {
                o.out = in_folder("more");
                o.threads = threads[i];
                train(&o, SLB_OK);
                assert_same_file(first, o.out);
            }
        }
}

static void keep_report(void *user, const SlbTrainReport *report)
{
    if (report->validated) *(double *)user = report->psnr[0] - report->bicubic[0];
}

/* A network that enlarges by itself: the same bytes for any threads, and it comes near bicubic in
 * seconds from nothing. */
static void test_enlarging_network(void **state)
{
    (void)state;
    char first[160];
    snprintf(first, sizeof first, "%s", in_folder("large1"));
    SlbTrainOptions o = small_x2(first, 2);
    train(&o, SLB_OK);
    o.out = in_folder("large2");
    o.threads = 3;
    train(&o, SLB_OK);
    assert_same_file(first, o.out);
    double gain = -100;
    o.bits = 32;
    o.steps = o.val_every = 400;
    o.rate = 8e-3;
    o.val = data[0];
    o.report = keep_report;
    o.user = &gain;
    train(&o, SLB_OK);
    if (!(gain > -2.5)) fail_msg("%g dB over bicubic", gain);
    o.scales[0] = 3;
    train(&o, SLB_E_USAGE);
    o.scales[0] = 2;
    o.patch = 33;
    train(&o, SLB_E_USAGE);
}

/* It learns: from the start values to better than bicubic, and at 2 bits from these float weights.
 */
static void test_learns(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("float"), 32);
    o.steps = 240;
    o.val = data[0];
    o.val_every = 240;
    o.threads = 2;
    o.report = keep;
    o.report_every = 10;
    train(&o, SLB_OK);
    assert_true(last_loss < first_loss);
    if (!(last_psnr > last_bicubic + 0.3))
        fail_msg("float: %g dB, bicubic %g dB", last_psnr, last_bicubic);
    o.init = o.out;
    o.out = in_folder("two");
    o.bits = 2;
    train(&o, SLB_OK);
    if (!(last_psnr > last_bicubic + 0.2))
        fail_msg("2 bits: %g dB, bicubic %g dB", last_psnr, last_bicubic);
    o.out = in_folder("one");
    o.bits = o.act_bits = 1;
    train(&o, SLB_OK);
    if (!(last_psnr > last_bicubic + 0.1))
        fail_msg("1 bit, activations too: %g dB, bicubic %g dB", last_psnr, last_bicubic);
}

/* The model file holds what was asked for: searched layers with levels, scales and activation
 * steps. */
static void test_model_file(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("file"), 4);
    SlbModel *model;
    train(&o, SLB_OK);
    assert_int_equal(slb_model_load(o.out, NULL, &model, NULL), SLB_OK);
    assert_int_equal(model->weight_bits, 4);
    assert_int_equal(model->act_bits, 8);
    assert_string_equal(model->scales, "2,3,4");
    assert_string_equal(model->command, "test");
    for (int i = 0; i < model->graph->conv_count; i++) {
        bool low = i == 1 || i == 2;
        assert_int_equal(model->conv[i].bits, low ? 4 : 32);
        assert_true(low ? model->conv[i].in_step > 0 : model->conv[i].in_step == 0);
    }
    slb_model_free(model);
}

/* Steps are calibrated at the start and learned from there on, with averages or without; float
 * activations have none. */
static void test_activation_bits(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("codes"), 1);
    o.act_bits = 2;
    o.average = 0.9;
    o.overwrite = true;
    float step[2];
    for (int i = 0; i < 2; i++) {
        SlbModel *model;
        o.steps = i ? 24 : 1;
        train(&o, SLB_OK);
        assert_int_equal(slb_model_load(o.out, NULL, &model, NULL), SLB_OK);
        assert_int_equal(model->act_bits, 2);
        step[i] = model->conv[1].in_step;
        slb_model_free(model);
    }
    assert_true(step[0] > 0 && step[1] > 0 && fabsf(step[0] - step[1]) > 0.001f * step[0]);
    SlbModel *model;
    o.act_bits = 32;
    train(&o, SLB_OK);
    assert_int_equal(slb_model_load(o.out, NULL, &model, NULL), SLB_OK);
    assert_int_equal(model->act_bits, 32);
    slb_model_free(model);
    o.bits = 32;
    o.act_bits = 8;
    train(&o, SLB_E_USAGE);
}

/* PSNR of a model by the trainer's engine, as at the last validation. */
static double psnr_of(const char *path, const SlbTrainOptions *o)
{
    SlbModel *model;
    SlbValidation *validation;
    SlbWeights *weights;
    SlbCpu cpu;
    double psnr[SLB_TRAIN_SCALES];
    slb_cpu_detect(&cpu);
    assert_int_equal(slb_model_load(path, NULL, &model, NULL), SLB_OK);
    assert_int_equal(slb_validation_create(o->val, 0, model->graph, 32, o->scales, o->scale_count,
                                           &cpu, 1, NULL, &validation, NULL),
                     SLB_OK);
    const SlbEngine *engine = slb_validation_engine(validation);
    assert_int_equal(slb_weights_create(engine, &weights, NULL), SLB_OK);
    for (int i = 0; i < model->graph->conv_count; i++) {
        float w[16 * 16 * 9];
        slb_conv_effective(&model->conv[i], w);
        slb_weights_set(weights, engine, i, w, model->conv[i].bias);
    }
    assert_int_equal(slb_validation_run(validation, weights, psnr, NULL), SLB_OK);
    slb_weights_free(weights);
    slb_validation_free(validation);
    slb_model_free(model);
    return psnr[0];
}

/* With its own float model for a teacher, alone, a low-bit run learns what that one knows; the same
 * bytes for any threads; a network with another input cannot teach. */
static void test_teacher(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("teacher"), 32);
    o.steps = 60;
    o.overwrite = true;
    train(&o, SLB_OK);
    o.init = o.teacher = o.out;
    o.teacher_share = 1.0;
    o.out = in_folder("pupil");
    o.bits = 4;
    o.report = keep;
    for (int sbn = 0; sbn < 2; sbn++) {
        first_loss = 1;
        if (sbn) o.net = SLBSR_SOURCE_DIR "/tests/train/tiny-sbn.net";
        if (sbn) o.init = NULL;
        train(&o, SLB_OK);
        SlbTrainOptions more = o;
        more.out = in_folder("pupil3");
        more.threads = 3;
        train(&more, SLB_OK);
        assert_same_file(o.out, more.out);
        /* The loss is the distance from the teacher: less than that of bicubic from the truth. */
        if (!sbn && !(last_loss < 0.2)) fail_msg("%g of the loss of bicubic", last_loss);
    }
    o = small_x2(in_folder("pupil"), 2);
    o.teacher = in_folder("teacher");
    train(&o, SLB_E_MODEL);
}

/* What a run's teacher makes of one patch of noise. */
static void show(const SlbTrainOptions *o, float *out, size_t count)
{
    Run run;
    SlbError err = {0};
    if (run_create(&run, o, &err) != SLB_OK) fail_msg("%s", err.message);
    SlbPatchKey form = run_patch_form(&run);
    size_t inputs = slb_patch_inputs(&form);
    assert_int_equal(slb_patch_targets(&form), count);
    float *in = slb_alloc(inputs, sizeof *in);
    assert_non_null(in);
    for (size_t i = 0; i < inputs; i++) /* half of it is 127, of bits that are large as bf16 */
        in[i] = (float)(i % 2 ? 127 : i * i % 251) / 255.0f;
    run_teacher_show(&run, 0, in, out);
    slb_free(in);
    run_free(&run);
}

/* A teacher's activations are those of its model: what is taught is what `slbsr upscale` gives. */
static void test_teacher_activations(void **state)
{
    (void)state;
    enum { SIDE = 17 };
    float with[SIDE * SIDE], without[SIDE * SIDE];
    SlbTrainOptions o = small(in_folder("signs"), 1);
    SlbModel *model;
    o.act_bits = 1;
    o.overwrite = true;
    train(&o, SLB_OK);
    assert_int_equal(slb_model_load(o.out, NULL, &model, NULL), SLB_OK);
    model->act_bits = 32;
    assert_int_equal(slb_model_save(model, in_folder("floats"), true, NULL), SLB_OK);
    slb_model_free(model);
    o.teacher = o.out;
    o.out = in_folder("signs-pupil");
    show(&o, with, SIDE * SIDE);
    o.teacher = in_folder("floats");
    show(&o, without, SIDE * SIDE);
    double distance = 0;
    for (int i = 0; i < SIDE * SIDE; i++) distance += fabs((double)with[i] - (double)without[i]);
    if (!(distance > 0.01)) fail_msg("%g: no signs were taken", distance);
}

/* Channels that are there for kernels alone hold no leftovers, which could be no numbers. */
static void test_padded_channels(void **state)
{
    (void)state;
    static const char net[] = "input rgb\nconv 80 3x3 full relu\nshuffle 2\nconv 20 3x3 full relu\n"
                              "conv 3 3x3 full\n";
    enum { SIDE = 32 };
    static float out[SIDE * SIDE * 3];
    FILE *file = fopen(in_folder("wide.net"), "w");
    assert_non_null(file);
    assert_int_equal(fputs(net, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    for (int p = 0; p < precisions(); p++) {
        SlbTrainOptions o = small_x2(in_folder("wide"), 32);
        o.net = in_folder("wide.net");
        o.precision = (SlbPrecision)p;
        o.steps = 1;
        train(&o, SLB_OK);
        o.teacher = o.out;
        o.out = in_folder("wide-pupil");
        show(&o, out, SIDE * SIDE * 3);
        for (int i = 0; i < SIDE * SIDE * 3; i++) assert_true(isfinite(out[i]));
    }
}

static void write_grey(const char *name, bool flat)
{
    FILE *file = fopen(in_folder(name), "wb");
    assert_non_null(file);
    fprintf(file, "P5 48 48 255\n");
    for (int i = 0; i < 48 * 48; i++) fputc(flat ? 255 : i * i % 251, file);
    assert_int_equal(fclose(file), 0);
}

/* A picture of one colour has no PSNR: it does not count. */
static void test_flat_picture(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("flat-model"), 32);
    assert_int_equal(mkdir(in_folder("flat"), 0700), 0);
    write_grey("flat/a.pgm", false);
    o.val = in_folder("flat");
    o.report = keep;
    train(&o, SLB_OK);
    double bicubic = last_bicubic, psnr = psnr_of(o.out, &o);
    assert_true(isfinite(bicubic) && isfinite(psnr));
    write_grey("flat/b.pgm", true);
    o.overwrite = true;
    train(&o, SLB_OK);
    assert_true(last_bicubic == bicubic);
    assert_true(psnr_of(o.out, &o) == psnr);
}

/* State batch normalization: the same bytes for any threads and after a stop, in every form and for
 * float weights; the model computes what was validated. */
static void test_sbn(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        long at = 13;
        SlbTrainOptions o = small(in_folder("sbn"), form < 3 ? 1 : 32);
        o.net = SLBSR_SOURCE_DIR "/tests/train/tiny-sbn.net";
        o.sbn = (SlbSbn)(form % 3);
        o.act_bits = 32;
        o.overwrite = true;
        o.val = data[0];
        o.val_every = 5; /* estimates behind the step of the checkpoint are not in it */
        o.report = keep;
        train(&o, SLB_OK);
        double psnr = psnr_of(o.out, &o);
        if (!(fabs(psnr - last_psnr) < 1e-3)) fail_msg("%g dB, model %g", last_psnr, psnr);
        o.out = in_folder("sbn-broken");
        o.threads = 3;
        o.stop = &stop_now;
        o.report = stop_at;
        o.report_every = 1;
        o.user = &at;
        stop_now = 0;
        train(&o, SLB_PARTIAL);
        stop_now = 0;
        o.report = NULL;
        train(&o, SLB_OK);
        assert_same_file(in_folder("sbn"), in_folder("sbn-broken"));
        o.average = 0.9;
        train(&o, o.sbn == SLB_SBN_CALIBRATED ? SLB_OK : SLB_E_USAGE);
    }
}

/* A model begins with what it computed before: its scales and biases undo the normalization. */
static void test_sbn_start(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("sbn-float"), 32);
    o.net = SLBSR_SOURCE_DIR "/tests/train/tiny-sbn.net";
    o.steps = 60;
    o.val = data[0];
    o.report = keep;
    o.overwrite = true;
    train(&o, SLB_OK);
    double before = last_psnr;
    o.init = o.out;
    o.out = in_folder("sbn-again");
    o.steps = 1;
    o.rate = 1e-9;
    train(&o, SLB_OK);
    if (!(fabs(before - last_psnr) < 0.1)) fail_msg("%g dB, begun with %g", before, last_psnr);
}

/* A network with a base of its own begins as the nearest pixel, nearly. */
static void test_base(void **state)
{
    (void)state;
    double gain = -100;
    SlbTrainOptions o = small_x2(in_folder("base"), 32);
    o.net = "light-x2";
    o.steps = 1;
    o.rate = 1e-9;
    o.val = data[0];
    o.val_pictures = 1;
    o.report = keep_report;
    o.user = &gain;
    train(&o, SLB_OK);
    if (!(gain > -5)) fail_msg("%g dB over bicubic", gain);
}

/* Logits are counted as they are, and nothing is left behind; also beside a run that is at work. */
static void test_cost(void **state)
{
    (void)state;
    size_t bytes[2];
    SlbLock lock;
    assert_int_equal(slb_lock(&lock, in_folder("cost.lock"), "cost", NULL), SLB_OK);
    for (int i = 0; i < 2; i++) {
        SlbTrainOptions o = small(in_folder("cost"), i ? 4 : 1);
        SlbTrainCost cost;
        assert_int_equal(slb_train_cost(&o, &cost, NULL), SLB_OK);
        assert_int_equal(cost.convs, 4);
        assert_int_equal(cost.low_convs, 2);
        assert_int_equal(cost.searched, 2 * 16 * 16 * 9);
        assert_int_equal(cost.parameters, 2 * 16 * 9 + 17 + 2 * (16 * 16 * 9 + 32));
        assert_int_equal(cost.values, i ? 16 : 1);
        assert_int_equal(cost.searched_bytes, 3 * 4 * 4 * cost.searched * (size_t)cost.values);
        assert_true(cost.state_bytes > cost.searched_bytes);
        assert_true(cost.measured >= 2 && cost.step_seconds > cost.weight_seconds &&
                    cost.weight_seconds > 0 && cost.peak_bytes > cost.state_bytes);
        bytes[i] = cost.searched_bytes;
    }
    assert_int_equal(bytes[1], 16 * bytes[0]);
    slb_unlock(&lock);
    assert_false(exists("cost") || exists("cost.ckpt") || exists("cost.csv"));
}

static void test_bad_input(void **state)
{
    (void)state;
    static const char *const none[] = {SLBSR_SOURCE_DIR "/nets"};
    static const char *const missing[] = {"no such folder"};
    SlbTrainOptions o = small(in_folder("bad"), 2);
    o.data = none;
    train(&o, SLB_E_INPUT);
    o.data = missing;
    train(&o, SLB_E_INPUT);
    o = small(in_folder("bad"), 2);
    o.patch = 4000; /* larger than every picture */
    train(&o, SLB_E_INPUT);
    o = small(in_folder("bad"), 2);
    o.init = SLBSR_SOURCE_DIR "/README.md";
    train(&o, SLB_E_MODEL);
    o = small("no such folder/model", 2);
    train(&o, SLB_E_OUTPUT);
    assert_false(exists("bad"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enlarging_network),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_model_file),
        cmocka_unit_test(test_activation_bits),
        cmocka_unit_test(test_teacher),
        cmocka_unit_test(test_teacher_activations),
        cmocka_unit_test(test_padded_channels),
        cmocka_unit_test(test_flat_picture),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_sbn),
        cmocka_unit_test(test_sbn_start),
        cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
