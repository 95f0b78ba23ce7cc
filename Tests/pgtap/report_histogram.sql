-- report_histogram: certified radii in steps of 0.05.
\ir fixture.psql
\ir imported.psql
INSERT INTO rrcm.imported_certificate (import_id, sigma, row_number, image_index, label, predicted, radius)
SELECT 1, 0.25, 100 + k, 1000 + k, 0, 0, k / 20.0::double precision FROM generate_series(0, 200) AS k;
SELECT plan(3);
SELECT results_eq(
  $$ SELECT radius_from, radius_below, correct::int, wrong::int FROM rrcm.report_histogram
      WHERE origin = 'fleet' AND origin_id = 1 AND sigma = 0.25 ORDER BY 1 $$,
  'VALUES (0.10, 0.15, 1, 0), (0.30, 0.35, 1, 0), (0.50, 0.55, 0, 1)', 'abstentions have no radius, mistakes are apart');
SELECT is(
  (SELECT count(*) FROM rrcm.report_histogram WHERE origin = 'imported' AND sigma = 0.25 AND correct >= 1), 201::bigint,
  'each multiple of 0.05 falls into the step that begins with it');
SELECT is(
  (SELECT sum(correct + wrong) FROM rrcm.report_histogram WHERE origin = 'imported' AND sigma = 0.25), 203::numeric,
  'every certified row is counted once');
SELECT * FROM finish();
