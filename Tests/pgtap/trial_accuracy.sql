-- trial_accuracy: certified accuracy of trials at every radius.
\ir sweep_fixture.psql
SELECT plan(2);
SELECT results_eq(
  $$ SELECT trial, r, certified::int, accuracy FROM rrcm.trial_accuracy
      WHERE sweep_name = 'probe' AND r IN (0, 0.1, 0.3) ORDER BY trial, r $$,
  $$ VALUES (1, 0.00, 2, 0.5::double precision), (1, 0.10, 2, 0.5), (1, 0.30, 1, 0.25),
            (2, 0.00, 3, 0.75), (2, 0.10, 3, 0.75), (2, 0.30, 1, 0.25) $$,
  'as accuracy_at_radius has it, with the trial');
SELECT is(
  (SELECT count(*) FROM rrcm.trial_accuracy a
    WHERE a.accuracy IS DISTINCT FROM rrcm.certified_accuracy(a.run_id, a.sigma, a.r::double precision)), 0::bigint,
  'the function that ranks agrees at every radius');
SELECT * FROM finish();
