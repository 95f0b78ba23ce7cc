-- certification_level: the noise levels of certifications.
\ir fixture.psql
SELECT plan(1);
SELECT results_eq(
  'SELECT run_id::int, sigma, grid_m FROM rrcm.certification_level ORDER BY run_id, sigma',
  $$ VALUES (1, 0.25, 0), (1, 1, 0), (4, 0.5, 0), (5, 0.5, 0) $$, 'one row per run and level');
SELECT * FROM finish();
