-- report_level: the figures of a run at one sigma, over all its images.
\ir fixture.psql
\ir imported.psql
SELECT plan(5);
SELECT results_eq(
  $$ SELECT images, finished::int, held::int, abstained::int, correct::int, wrong::int, acr, largest_radius, seconds,
            seconds_per_image
       FROM rrcm.report_level WHERE origin = 'fleet' AND origin_id = 1 AND sigma = 0.25 $$,
  $$ VALUES (4, 4, 0, 1, 2, 1, (0.3::double precision + 0.1) / 4, 0.5::double precision, 6::double precision,
             1.5::double precision) $$,
  'a finished level: the wrong and the abstained image count 0 in the average radius');
SELECT results_eq(
  $$ SELECT images, finished::int, held::int, correct::int, acr_low, acr IS NULL
       FROM rrcm.report_level WHERE origin = 'fleet' AND origin_id = 1 AND sigma = 1 $$,
  $$ VALUES (4, 1, 1, 1, 0.25::double precision, true) $$,
  'an unfinished level: a held item is unfinished and stays in the denominator');
SELECT results_eq(
  $$ SELECT origin, images, finished::int, abstained::int, correct::int, wrong::int, acr, seconds_per_image, sampler
       FROM rrcm.report_level WHERE origin_id = 1 AND origin = 'imported' AND sigma = 0.25 $$,
  $$ VALUES ('imported', 3, 3, 1, 1, 1, 0.735::double precision / 3, 3::double precision, NULL::text) $$,
  'an imported log: every row counts, times are averaged where there are any');
SELECT is((SELECT count(*) FROM rrcm.report_level WHERE name = 'teacher'), 0::bigint, 'a training has no level');
SELECT results_eq(
  $$ SELECT images, finished::int, seconds_per_image FROM rrcm.report_level WHERE name = 'elsewhere' $$,
  $$ VALUES (1, 0, NULL::double precision) $$, 'a run with nothing finished has its images all the same');
SELECT * FROM finish();
