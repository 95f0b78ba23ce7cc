-- run_progress: how far a run is, counted from items and votes or from its job.
\ir fixture.psql
SELECT plan(5);
SELECT results_eq(
  $$ SELECT run_id, state::text, done::int, total::int, unit, samples::int, held::int, disagreements::int
       FROM rrcm.run_progress ORDER BY run_id $$,
  $$ VALUES (1::bigint, 'running', 5, 8, 'items', 68, 1, 1),
            (2, 'running', 30, 100, 'steps', 0, 0, 0),
            (3, 'submitted', 0, 0, 'items', 0, 0, 0),
            (4, 'running', 0, 1, 'items', 0, 0, 0),
            (5, 'done', 1, 1, 'items', 12, 0, 0) $$,
  'items or steps done, samples of certificates and of items under way, items held, disagreements');
SELECT results_eq(
  'SELECT run_id, elapsed_seconds FROM rrcm.run_progress ORDER BY run_id',
  'VALUES (1::bigint, 60::double precision), (2, 30), (3, NULL), (4, 0), (5, 12)',
  'time counts from planning, and stops when the run ends');
SELECT results_eq(
  'SELECT run_id FROM rrcm.run_progress WHERE depends_on = 2', 'VALUES (3::bigint)', 'what a run waits for');
DELETE FROM rrcm.chunk_count WHERE item_id = 22;
SELECT is((SELECT samples FROM rrcm.run_progress WHERE run_id = 1), 62::bigint, 'of items under way, those stored now');
UPDATE rrcm.item SET state = 'held', error = 'by hand' WHERE item_id = 11;
SELECT results_eq(
  'SELECT done, held FROM rrcm.run_progress WHERE run_id = 1', 'VALUES (4::bigint, 2::bigint)',
  'a held item is not done');
SELECT * FROM finish();
