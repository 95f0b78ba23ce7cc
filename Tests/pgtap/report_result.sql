-- report_result: own items and imported rows, each with its origin.
\ir fixture.psql
\ir imported.psql
SELECT plan(4);
SELECT results_eq(
  $$ SELECT image_index, state, predicted, radius, correct FROM rrcm.report_result
      WHERE origin = 'fleet' AND origin_id = 1 AND sigma = 1 ORDER BY image_index $$,
  $$ VALUES (0, 'certified', 0, 1.0::double precision, true), (1, 'open', NULL, NULL, NULL),
            (2, 'claimed', NULL, NULL, NULL), (3, 'held', NULL, NULL, NULL) $$,
  'an own run has a row per item, and a held item shows no certificate');
SELECT results_eq(
  $$ SELECT image_index, predicted, radius, correct, n, p_lower IS NULL FROM rrcm.report_result
      WHERE origin = 'imported' AND origin_id = 1 AND sigma = 0.25 ORDER BY image_index $$,
  $$ VALUES (20, 3, 0.735::double precision, true, 100000, true), (40, 4, 0.15, false, 100000, true),
            (60, NULL, NULL, false, 100000, true) $$,
  'correct is label = prediction, whatever the log says, and nothing bounds a probability');
SELECT results_eq(
  $$ SELECT image_index FROM rrcm.report_result WHERE origin = 'imported' AND sigma = 1 ORDER BY 1 $$, 'VALUES (0), (1)',
  'rows of a log without indices are numbered');
SELECT is(
  (SELECT count(*) FROM rrcm.certificate_result WHERE run_name = 'half' AND sigma = 0.25), 4::bigint,
  'an imported run of the same name is not among this fleet''s certificates');
SELECT * FROM finish();
