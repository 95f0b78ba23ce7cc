-- sweep_trial: trials ranked by their sweep's metric; sweep_query: the same with a column per parameter.
\ir sweep_fixture.psql
SELECT plan(9);
SELECT results_eq(
  $$ SELECT trial, rank, value, state::text, step::text, attempt, certified_accuracy, acr, loss
       FROM rrcm.sweep_trial WHERE sweep_id = 1 ORDER BY trial $$,
  $$ VALUES (1, 2::bigint, 0.25::double precision, 'done', NULL, 1, 0.25::double precision, 0.1::double precision, 2.5::double precision),
            (2, 1, 0.5, 'done', NULL, 2, 0.5, 0.15, 1.5),
            (3, NULL, NULL, 'open', 'finetune', 1, NULL, NULL, NULL),
            (4, NULL, NULL, 'failed', NULL, 1, NULL, NULL, NULL),
            (5, NULL, NULL, 'stopped', NULL, 1, NULL, NULL, NULL) $$,
  'more certified images rank first; mistakes and abstentions count in the denominator; what is not measured has no rank');
SELECT results_eq(
  $$ SELECT finetune_run_id, certify_run_id, confirm_run_id, checkpoint_digest, sigma
       FROM rrcm.sweep_trial WHERE trial_id = 12 $$,
  $$ VALUES (104::bigint, 105::bigint, 108::bigint, repeat('c', 64), 0.25::numeric) $$,
  'the run that is done stands for a step, not the failed one before it');
SELECT results_eq(
  $$ SELECT chosen, confirmed_accuracy, confirmed_acr FROM rrcm.sweep_trial WHERE trial_id = 12 $$,
  $$ VALUES (true, 0::double precision, 0.025::double precision) $$, 'other images have their own figures');
SELECT results_eq(
  $$ SELECT trial, rank, value, metric FROM rrcm.sweep_trial WHERE sweep_name = 'other' $$,
  $$ VALUES (1, 1::bigint, 4::double precision, 'loss') $$, 'a sweep is ranked for itself, by its own metric');
SELECT is(
  rrcm.certified_accuracy(1, 1, 1), NULL::double precision, 'a run with images to come has no certified accuracy yet');
SELECT results_eq(
  $$ SELECT rrcm.certified_accuracy(105, 0.25, r) FROM unnest('{0,0.1,0.2,0.25,0.31}'::float8[]) AS r $$,
  $$ VALUES (0.75::double precision), (0.75), (0.5), (0.25), (0) $$, 'certified at the radius itself is certified');
DO $$ BEGIN EXECUTE 'CREATE TEMPORARY VIEW named AS ' || rrcm.sweep_query('probe'); END $$;
SELECT columns_are(
  'named',
  ARRAY['rank', 'certified_accuracy@0.2', 'trial', 'head', 'eta', 'state', 'acr', 'loss', 'checkpoint_digest'],
  'parameters are columns, by the last word of their path');
SELECT results_eq(
  'SELECT trial, head, eta FROM named WHERE rank = 1', $$ VALUES (2, 'x'::text, 1::double precision) $$,
  'numbers come as numbers, words as text');
SELECT throws_like(
  $$ SELECT rrcm.sweep_query('nothing') $$, 'there is no sweep "nothing"', 'an unknown sweep is told');
SELECT * FROM finish();
