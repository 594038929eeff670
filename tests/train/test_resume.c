/* Runs that are stopped or fall back to a checkpoint end with the same bytes as others. */
#include "train/trainer.h"

/* Stopped after every fifth step (before, while and after the temperature rises; it goes on from a
 * multiple of ten), the run ends with the same bytes. */
static void check_resume(int bits, SlbPrecision precision)
{
    SlbTrainOptions o = small(in_folder("whole"), bits);
    o.overwrite = true;
    o.precision = precision;
    o.act_bits = bits == 2 ? 2 : 0; /* learned steps are in the checkpoint too */
    train(&o, SLB_OK);
    o.out = in_folder("broken");
    o.stop = &stop_now;
    o.report = stop_at;
    for (long at = 5; at < o.steps; at += 5) {
        stop_now = 0;
        o.user = &at;
        train(&o, SLB_PARTIAL);
        assert_true(exists("broken.ckpt"));
    }
    stop_now = 0;
    o.report = NULL;
    train(&o, SLB_OK);
    assert_same_file(in_folder("whole"), in_folder("broken"));
    assert_false(exists("broken.ckpt"));
}

static void test_resume(void **state)
{
    (void)state;
    check_resume(32, SLB_FLOAT32);
    for (int p = 0; p < precisions(); p++) check_resume(2, (SlbPrecision)p);
}

/* A checkpoint is that of the moment it was asked for, though the run goes on while it is written.
 */
static void test_saver(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("saver"), 2);
    SlbTrainState read;
    SlbSaver *saver;
    Run run;
    bool found;
    assert_int_equal(run_create(&run, &o, NULL), SLB_OK);
    steps(&run, 3);
    const SlbLayerForm form = {
        .method = run.method, .weight_bits = 2, .level = run.cpu.level, .steps = run.act_bits < 8};
    assert_int_equal(slb_state_create(run.graph, &form, 1, &read, NULL), SLB_OK);
    assert_int_equal(slb_saver_create(run.checkpoint_path, "recipe", &read, &saver, NULL), SLB_OK);
    assert_int_equal(slb_saver_start(saver, &run.now, NULL), SLB_OK);
    const SlbParam *p = &run.now.layer[1].param[SLB_PARAM_WEIGHT];
    float before = p->value[0];
    steps(&run, 4); /* meanwhile, or before: the file must not have it */
    assert_true(p->value[0] != before);
    assert_int_equal(slb_saver_wait(saver, NULL), SLB_OK);
    slb_saver_free(saver);
    assert_int_equal(slb_state_create(run.graph, &form, 1, &read, NULL), SLB_OK);
    assert_int_equal(slb_checkpoint_load(run.checkpoint_path, "recipe", &read, &found, NULL),
                     SLB_OK);
    assert_true(found);
    assert_int_equal(read.step, 3);
    assert_true(read.layer[1].param[SLB_PARAM_WEIGHT].value[0] == before);
    slb_state_free(&read);
    run_free(&run);
}

static void test_resume_other_recipe(void **state)
{
    (void)state;
    long at = 5;
    SlbTrainOptions o = small(in_folder("other"), 2);
    o.stop = &stop_now;
    o.report = stop_at;
    o.user = &at;
    stop_now = 0;
    train(&o, SLB_PARTIAL);
    stop_now = 0;
    o.report = NULL;
    o.seed = 6;
    train(&o, SLB_E_USAGE);
    o.restart = true;
    train(&o, SLB_OK);
    train(&o, SLB_E_OUTPUT); /* there is a model now, and no leave to overwrite it */
}

/* Something comes to stand where the model is to go, while the run works. */
static void stand_there(void *user, const SlbTrainReport *report)
{
    if (report->step != 20) return;
    FILE *file = fopen(user, "w");
    assert_non_null(file);
    fclose(file);
}

/* The steps of a run whose model cannot be written at the end are not lost. */
static void test_model_in_the_way(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("in-time"), 2);
    train(&o, SLB_OK);
    o.out = in_folder("late");
    o.report = stand_there;
    o.user = (void *)(uintptr_t)o.out;
    SlbError err = {0};
    assert_int_equal(slb_train(&o, &err), SLB_E_OUTPUT);
    assert_non_null(strstr(err.message, "already exists"));
    assert_non_null(strstr(err.message, "the checkpoint of step 20 is kept"));
    assert_true(exists("late.ckpt"));
    assert_int_equal(unlink(o.out), 0);
    o.report = NULL;
    train(&o, SLB_OK);
    assert_same_file(in_folder("in-time"), in_folder("late"));
    assert_false(exists("late.ckpt"));
}

/* A folder stands where checkpoints go, from step 5 until step `user`. */
static void block_checkpoints(void *user, const SlbTrainReport *report)
{
    const char *path = in_folder("full.ckpt");
    if (report->step == 5) {
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(mkdir(in_folder("full.ckpt/file"), 0700), 0);
    }
    if (report->step == 15) usleep(200000); /* so that the thread has failed */
    if (report->step != *(const long *)user) return;
    assert_int_equal(rmdir(in_folder("full.ckpt/file")), 0);
    assert_int_equal(rmdir(path), 0);
}

/* A checkpoint that could not be written is written as soon as it can; where that fails too, the
 * run ends. */
static void test_blocked_checkpoint(void **state)
{
    (void)state;
    long until = 15;
    SlbTrainOptions o = small(in_folder("full"), 2);
    o.checkpoint_seconds = 0;
    o.report = block_checkpoints;
    o.user = &until;
    train(&o, SLB_OK);
    assert_int_equal(unlink(o.out), 0);
    until = 1000;
    SlbError err = {0};
    assert_int_equal(slb_train(&o, &err), SLB_E_OUTPUT);
    assert_non_null(strstr(err.message, "full.ckpt"));
    assert_false(exists("full"));
    until = 0;
    block_checkpoints(&until, &(SlbTrainReport){.step = 0});
}

/* What goes on is not the command that begins anew. */
static void test_stopped_after_a_restart(void **state)
{
    (void)state;
    long at = 15;
    SlbTrainOptions o = small(in_folder("begun-anew"), 2);
    SlbError err = {0};
    o.stop = &stop_now;
    o.report = stop_at;
    o.user = &at;
    for (int restart = 0; restart < 2; restart++) {
        o.restart = restart;
        stop_now = 0;
        assert_int_equal(slb_train(&o, &err), SLB_PARTIAL);
        assert_true((strstr(err.message, "the same command without --restart goes on") != NULL) ==
                    restart);
    }
    stop_now = 0;
}

/* A teacher made anew under its name is another one. */
static void test_resume_other_teacher(void **state)
{
    (void)state;
    SlbTrainOptions other = small(in_folder("taught-by"), 32);
    train(&other, SLB_OK);
    long at = 5;
    SlbTrainOptions o = small(in_folder("taught"), 2);
    o.teacher = other.out;
    o.teacher_share = 0.5;
    o.stop = &stop_now;
    o.report = stop_at;
    o.user = &at;
    stop_now = 0;
    train(&o, SLB_PARTIAL);
    at = 15;
    stop_now = 0;
    train(&o, SLB_PARTIAL);
    other.seed = 6;
    other.overwrite = true;
    train(&other, SLB_OK);
    stop_now = 0;
    o.report = NULL;
    train(&o, SLB_E_USAGE);
    o.restart = true;
    train(&o, SLB_OK);
}

/* A loss that is no number leads back to the last good state, once; a second time before the run
 * has come past that step is the end; later it is a new mishap. */
static void test_falls_back(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("fall"), 2);
    Run run;
    SlbError err = {0};
    double loss, baseline;
    assert_int_equal(run_create(&run, &o, &err), SLB_OK);
    float *value = &run.now.layer[0].param[SLB_PARAM_BIAS].value[0];
    for (int mishap = 1; mishap <= 2; mishap++) {
        steps(&run, 10 * mishap + 3);
        *value = NAN;
        assert_int_equal(run_step(&run, &loss, &baseline, &err), SLB_OK);
        assert_int_equal(run.now.step, 10 * mishap);
        assert_true(run.fallen && isfinite(*value));
        assert_true(run.now.rate_factor == pow(0.5, mishap));
        if (mishap == 1) steps(&run, 20);
    }
    *value = NAN;
    assert_int_equal(run_step(&run, &loss, &baseline, &err), SLB_E_DIVERGED);
    run_free(&run);
    o.rate = 1e9; /* and the whole way: nothing helps */
    train(&o, SLB_E_DIVERGED);
    assert_false(exists("fall"));
}

/* A single batch whose loss is far above the usual changes nothing, also where the state would have
 * been kept; a third one in a row leads back to the state before the first. */
static void test_one_jump_is_no_fall(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("jump"), 2);
    Run run;
    SlbError err = {0};
    double loss, baseline, usual;
    o.steps = 100;
    assert_int_equal(run_create(&run, &o, &err), SLB_OK);
    steps(&run, 29);
    usual = run.now.usual_loss;
    run.now.usual_loss = usual * 1e-3; /* the next loss jumps */
    assert_int_equal(run_step(&run, &loss, &baseline, &err), SLB_OK);
    assert_int_equal(run.now.step, 30);
    assert_int_equal(run.good.step, 20); /* not kept */
    assert_true(run.now.usual_loss == usual * 1e-3);
    run.now.usual_loss = usual;
    steps(&run, 40);
    assert_int_equal(run.good.step, 40);
    assert_false(run.fallen);
    steps(&run, 48);
    run.now.usual_loss *= 1e-3;
    for (int i = 0; i < 2; i++) assert_int_equal(run_step(&run, &loss, &baseline, &err), SLB_OK);
    assert_int_equal(run.now.step, 50);
    assert_int_equal(run_step(&run, &loss, &baseline, &err), SLB_OK);
    assert_int_equal(run.now.step, 40);
    assert_true(run.fallen && run.now.rate_factor == 0.5);
    assert_true(run.now.usual_loss > usual * 1e-2);
    steps(&run, 50);
    assert_int_equal(run.good.step, 50);
    run_free(&run);
}

/* What was usual is not any more where the search begins anew. */
static void test_restart_is_no_fall(void **state)
{
    (void)state;
    SlbTrainOptions o = small(in_folder("anew"), 2);
    Run run;
    SlbError err = {0};
    double loss, baseline;
    o.steps = 100;
    o.tempering = SLB_TEMPER_SGDR;
    o.restarts = 1;
    o.anneal_from = 0;
    o.anneal_to = 1;
    o.sharpness = 1000;
    assert_int_equal(run_create(&run, &o, &err), SLB_OK);
    double before = run_sharpness(&run);
    while (run.now.step < 90) {
        long step = run.now.step;
        double now = run_sharpness(&run);
        if (now < before) run.now.usual_loss *= 1e-3; /* all that come are far above */
        before = now;
        assert_int_equal(run_step(&run, &loss, &baseline, &err), SLB_OK);
        assert_int_equal(run.now.step, step + 1);
    }
    run_free(&run);
}

/* The average of the parameters is what is written: with it, the model is another one, and the run
 * still goes on exactly. */
static void test_average(void **state)
{
    (void)state;
    long at = 13;
    SlbTrainOptions o = small(in_folder("average"), 2);
    o.average = 0.9;
    o.schedule = SLB_STEPS;
    o.decay_every = 10;
    train(&o, SLB_OK);
    o.out = in_folder("average-broken");
    o.stop = &stop_now;
    o.report = stop_at;
    o.user = &at;
    o.report_every = 1;
    stop_now = 0;
    train(&o, SLB_PARTIAL);
    stop_now = 0;
    o.report = NULL;
    train(&o, SLB_OK);
    assert_same_file(in_folder("average"), in_folder("average-broken"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_saver),
        cmocka_unit_test(test_resume_other_recipe),
        cmocka_unit_test(test_resume_other_teacher),
        cmocka_unit_test(test_model_in_the_way),
        cmocka_unit_test(test_blocked_checkpoint),
        cmocka_unit_test(test_stopped_after_a_restart),
        cmocka_unit_test(test_falls_back),
        cmocka_unit_test(test_one_jump_is_no_fall),
        cmocka_unit_test(test_restart_is_no_fall),
        cmocka_unit_test(test_average),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
