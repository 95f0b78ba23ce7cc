-- run_detail: runs with their run files.
\ir fixture.psql
SELECT plan(1);
SELECT results_eq(
  'SELECT run_id::int, name, state::text, depends_on::int, image_indices FROM rrcm.run_detail ORDER BY run_id LIMIT 3',
  $$ VALUES (1, 'half', 'running', NULL::int, '{0,1,2,3}'::int[]), (2, 'teacher', 'running', NULL, NULL), (3, 'pupil', 'submitted', 2, NULL) $$,
  'one row per run');
SELECT * FROM finish();
