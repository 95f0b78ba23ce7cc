-- accuracy_at_radius: share of all images that are correct and certified at r or more.
\ir fixture.psql
SELECT plan(6);
SELECT results_eq(
  $$ SELECT r, certified::int, accuracy FROM rrcm.accuracy_at_radius WHERE run_id = 1 AND sigma = 0.25 ORDER BY r $$,
  $$ VALUES (0.00, 2, 0.5::double precision), (0.05, 2, 0.5), (0.10, 2, 0.5), (0.15, 1, 0.25), (0.20, 1, 0.25),
            (0.25, 1, 0.25), (0.30, 1, 0.25), (0.35, 0, 0), (0.40, 0, 0), (0.45, 0, 0), (0.50, 0, 0), (0.55, 0, 0) $$,
  'two of four at 0, one beyond 0.10: abstentions and mistakes count in the denominator, and r itself is still certified');
SELECT results_eq(
  $$ SELECT items::int, finished::int, certified::int, accuracy, accuracy_low, accuracy_high
       FROM rrcm.accuracy_at_radius WHERE run_id = 1 AND sigma = 1 AND r = 1 $$,
  $$ VALUES (4, 1, 1, 1::double precision, 0.25::double precision, 1::double precision) $$,
  'an unfinished run is an interval: unfinished counted wrong, and right');
SELECT results_eq(
  $$ SELECT r, accuracy_low, accuracy_high FROM rrcm.accuracy_at_radius WHERE run_id = 1 AND sigma = 1 AND r > 0.99 $$,
  $$ VALUES (1.00, 0.25::double precision, 1::double precision), (1.05, 0, 0.75) $$,
  'beyond every radius the upper end is the share that is unfinished; a held item counts among them');
SELECT results_eq(
  'SELECT r, accuracy, accuracy_low, accuracy_high FROM rrcm.accuracy_at_radius WHERE run_id = 4 ORDER BY r',
  'VALUES (0.00, NULL::double precision, 0::double precision, 1::double precision), (0.05, NULL, 0, 1)',
  'a run with nothing finished has no accuracy yet');
SELECT results_eq(
  'SELECT r, accuracy, accuracy_low, accuracy_high FROM rrcm.accuracy_at_radius WHERE run_id = 5 ORDER BY r',
  'VALUES (0.00, 0::double precision, 0::double precision, 0::double precision), (0.05, 0, 0, 0)',
  'a run of abstentions only has accuracy 0');
SELECT is(
  (SELECT count(*) FROM rrcm.accuracy_at_radius WHERE run_id IN (2, 3)), 0::bigint, 'a training has no rows');
SELECT * FROM finish();
