-- report_accuracy: certified accuracy in steps of 0.05, own runs and imported ones.
\ir fixture.psql
\ir imported.psql
SELECT plan(3);
SELECT results_eq(
  'SELECT sigma, r, items, finished, certified, accuracy_low, accuracy_high FROM rrcm.accuracy_at_radius ORDER BY run_id, sigma, r',
  $$ SELECT sigma, r, images::bigint, finished, certified, accuracy_low, accuracy_high FROM rrcm.report_accuracy
      WHERE origin = 'fleet' ORDER BY origin_id, sigma, r $$,
  'own runs have the rows of accuracy_at_radius');
SELECT results_eq(
  $$ SELECT r, certified::int, accuracy_low = accuracy_high FROM rrcm.report_accuracy
      WHERE origin = 'imported' AND sigma = 0.25 AND r IN (0, 0.10, 0.15, 0.70, 0.75) ORDER BY r $$,
  'VALUES (0.00, 1, true), (0.10, 1, true), (0.15, 1, true), (0.70, 1, true), (0.75, 0, true)',
  'of an imported log only rows with label = prediction count');
SELECT results_eq(
  $$ SELECT r, accuracy_low FROM rrcm.report_accuracy WHERE origin = 'imported' AND sigma = 1 AND r IN (0.05, 0.10, 1.00) ORDER BY r $$,
  'VALUES (0.05, 1::double precision), (0.10, 0.5), (1.00, 0.5)', 'a radius itself is still certified');
SELECT * FROM finish();
