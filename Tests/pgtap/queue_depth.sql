-- queue_depth: one row per running run, in units.
\ir fixture.psql
SELECT plan(4);
SELECT results_eq(
  $$ SELECT run_id, kind::text, priority, ready::int, leased::int, oldest_seconds, stranded
       FROM rrcm.queue_depth ORDER BY run_id $$,
  $$ VALUES (1::bigint, 'certify', 5, 3, 3, 60::double precision, false),
            (2, 'pretrain', 0, 0, 1, 30, false),
            (4, 'certify', 0, 4, 0, 0, true) $$,
  'never claimed and returned units are ready; only running runs are shown; one has no worker of its numerics id');
UPDATE rrcm.worker SET state = 'live' WHERE name = 'bee';
SELECT is((SELECT stranded FROM rrcm.queue_depth WHERE run_id = 4), false, 'a live worker of the id ends that');
UPDATE rrcm.worker SET state = 'gone';
SELECT is((SELECT bool_and(stranded) FROM rrcm.queue_depth), true, 'without live workers every run is stranded');
UPDATE rrcm.job SET state = 'queued', worker_id = NULL, deadline_at = NULL;
SELECT results_eq(
  'SELECT ready::int, leased::int FROM rrcm.queue_depth WHERE run_id = 2', 'VALUES (1, 0)',
  'a training is one unit: ready or held');
SELECT * FROM finish();
