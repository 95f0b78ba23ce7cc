-- sweep_run: every run of a trial, failed attempts included.
\ir sweep_fixture.psql
SELECT plan(2);
SELECT results_eq(
  $$ SELECT trial, attempt, step::text, run_id, run_name, state::text, error FROM rrcm.sweep_run
      WHERE sweep_name = 'probe' AND trial = 2 ORDER BY attempt, sweep_run.step $$,
  $$ VALUES (2, 1, 'finetune', 103::bigint, 'probe-002-finetune', 'failed', 'it broke'),
            (2, 2, 'finetune', 104, 'probe-002-finetune-2', 'done', NULL),
            (2, 2, 'certify', 105, 'probe-002-certify-2', 'done', NULL),
            (2, 2, 'confirm', 108, 'probe-002-confirm-2', 'done', NULL) $$,
  'the failed attempt stays visible beside the one that went well');
SELECT is((SELECT count(*) FROM rrcm.sweep_run WHERE run_id < 100), 0::bigint, 'runs of no sweep are not there');
SELECT * FROM finish();
