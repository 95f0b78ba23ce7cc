-- stranded_item: items with work left that no live worker has shown to compute.
\ir fixture.psql
SELECT plan(5);
-- Workers that registered long ago: none is still expected to show what it computes.
UPDATE rrcm.worker SET registered_at = now() - interval '1 hour';
SELECT results_eq(
  'SELECT run_name, item_id, state::text, numerics_ids, pinned FROM rrcm.stranded_item',
  $$ VALUES ('elsewhere', 41::bigint, 'open', '{B}'::text[], false) $$,
  'an item that nobody claimed yet waits for its run''s ids');
UPDATE rrcm.run SET numerics_ids = '{}' WHERE run_id = 4;
SELECT is_empty('SELECT item_id FROM rrcm.stranded_item', 'a run that names no id waits for anybody');
UPDATE rrcm.worker SET numerics_ids = '{B}', state = 'live';
SELECT results_eq(
  'SELECT item_id FROM rrcm.stranded_item ORDER BY item_id', 'VALUES (22::bigint), (23)',
  'items keep the id of their first claim, however many workers live');
DELETE FROM rrcm.lease WHERE item_id = 23;
DELETE FROM rrcm.gap WHERE item_id = 23;
SELECT results_eq(
  'SELECT item_id FROM rrcm.stranded_item', 'VALUES (22::bigint)', 'what nobody need compute any more is not stranded');
UPDATE rrcm.worker SET numerics_ids = '{}', registered_at = now() WHERE name = 'ant';
SELECT is_empty('SELECT item_id FROM rrcm.stranded_item', 'a worker that has just begun may turn out to compute it');
SELECT * FROM finish();
