-- report_envelope: the best noise level at each radius, and that it was chosen.
\ir fixture.psql
\ir imported.psql
SELECT plan(3);
SELECT results_eq(
  $$ SELECT r, sigma, accuracy_low, clean_accuracy, chosen_among::int FROM rrcm.report_envelope
      WHERE origin = 'fleet' AND origin_id = 1 AND r IN (0.10, 0.20, 1.00) ORDER BY r $$,
  $$ VALUES (0.10, 0.25, 0.5::double precision, 0.5::double precision, 2), (0.20, 0.25, 0.25, 0.5, 2), (1.00, 1, 0.25, 0.25, 2) $$,
  'the best level at each radius; on ties the smallest sigma');
SELECT results_eq(
  $$ SELECT r, sigma, accuracy_low FROM rrcm.report_envelope WHERE origin = 'imported' AND r IN (0, 0.10) ORDER BY r $$,
  $$ VALUES (0.00, 1::numeric, 1::double precision), (0.10, 1, 0.5) $$, 'imported logs have an envelope of their own');
SELECT ok(obj_description('rrcm.report_envelope'::regclass) LIKE 'SELECTION ON THE TEST SET%', 'the view says what it is');
SELECT * FROM finish();
