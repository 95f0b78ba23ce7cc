-- sweep_progress: one row per sweep.
\ir sweep_fixture.psql
SELECT plan(2);
SELECT results_eq(
  $$ SELECT sweep_id, trials::int, done::int, failed::int, stopped::int, open::int, running::int, elapsed_seconds
       FROM rrcm.sweep_progress ORDER BY sweep_id $$,
  $$ VALUES (1::bigint, 5, 2, 1, 1, 1, 1, 30::double precision), (2, 1, 1, 0, 0, 0, 0, 9) $$,
  'trials by state, runs under way, and the time until it ended');
-- Four of five trials have ended; the fifth has done 4 of 10 steps of the first of its two runs.
SELECT results_eq(
  'SELECT round(share::numeric, 6) FROM rrcm.sweep_progress ORDER BY sweep_id',
  'VALUES (0.84::numeric), (1)', 'the share counts the runs of a trial alike');
SELECT * FROM finish();
