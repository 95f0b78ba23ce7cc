-- ready_run: running runs that have something to claim now.
\ir fixture.psql
SELECT plan(4);
SELECT results_eq(
  'SELECT run_id, kind::text, priority, weight FROM rrcm.ready_run ORDER BY run_id',
  $$ VALUES (1::bigint, 'certify', 5, 100), (4, 'certify', 0, 100) $$,
  'runs with open items or returned units; a job that is held is not to be had');
UPDATE rrcm.job SET state = 'queued', worker_id = NULL, deadline_at = NULL;
SELECT is((SELECT count(*) FROM rrcm.ready_run WHERE run_id = 2), 1::bigint, 'a queued job is');
UPDATE rrcm.run SET paused_at = now() WHERE run_id = 4;
SELECT is((SELECT count(*) FROM rrcm.ready_run WHERE run_id = 4), 0::bigint, 'nothing of a paused run');
UPDATE rrcm.item SET state = 'claimed', next_unit = 4 WHERE item_id = 22;
DELETE FROM rrcm.gap;
SELECT is((SELECT count(*) FROM rrcm.ready_run WHERE run_id = 1), 0::bigint, 'nor of one whose every unit is held');
SELECT * FROM finish();
