-- similar_run: runs that repeat each other.
\ir fixture.psql
SELECT plan(3);
SELECT results_eq(
  'SELECT run_id::int, other_run_id::int, other_name, sigma FROM rrcm.similar_run ORDER BY 1, 2',
  $$ VALUES (4, 5, 'over', 0.5), (5, 4, 'elsewhere', 0.5) $$,
  'same checkpoint, images and sigma; run 1 certifies more images and other levels');
UPDATE rrcm.run SET image_indices = '{0}' WHERE run_id = 1;
SELECT is(
  (SELECT count(*) FROM rrcm.similar_run WHERE run_id = 1), 0::bigint, 'without a common sigma nothing is repeated');
UPDATE rrcm.run SET image_indices = '{9,8,0,7}' WHERE run_id = 5;
SELECT results_eq(
  'SELECT run_id::int, other_run_id::int FROM rrcm.similar_run ORDER BY 1, 2', $$ VALUES (4, 5), (5, 4) $$,
  'one image in common is enough');
SELECT * FROM finish();
