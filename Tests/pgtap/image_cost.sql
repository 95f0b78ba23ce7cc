-- image_cost: what an item has cost so far.
\ir fixture.psql
SELECT plan(2);
SELECT results_eq(
  $$ SELECT run_name, image_index, chunks::int, samples::int, round(compute_seconds::numeric, 6),
            round(samples_per_second::numeric, 3), workers::int
       FROM rrcm.image_cost WHERE item_id = 11 $$,
  $$ VALUES ('half', 0, 3, 10, 0.100000, 100.000, 2) $$, 'samples and time of all its chunks, by both workers');
SELECT results_eq(
  'SELECT item_id::int, samples::int FROM rrcm.image_cost ORDER BY 1', 'VALUES (11, 10), (22, 6), (24, 2), (51, 2)',
  'items without votes cost nothing and have no row');
SELECT * FROM finish();
