-- worker_health: one row per worker, whatever it holds.
\ir fixture.psql
SELECT plan(3);
SELECT results_eq(
  $$ SELECT name, epoch, state::text, samples_per_second, silent_seconds, leases::int, training_run_id
       FROM rrcm.worker_health ORDER BY name $$,
  $$ VALUES ('ant', 2, 'live', 250::double precision, 4::double precision, 1, 2::bigint),
            ('bee', 1, 'gone', NULL, 90, 0, NULL),
            ('cat', 1, 'draining', 125, 0, 1, NULL) $$,
  'speed, silence, leases and the training it holds');
INSERT INTO rrcm.lease (item_id, lo, hi, worker_id, epoch, deadline_at) VALUES (22, 2, 4, 1, 2, now());
SELECT is((SELECT leases FROM rrcm.worker_health WHERE name = 'ant'), 2::bigint, 'leases are counted, not units');
UPDATE rrcm.job SET state = 'queued', worker_id = NULL, deadline_at = NULL;
SELECT is(
  (SELECT training_run_id FROM rrcm.worker_health WHERE name = 'ant'), NULL::bigint, 'a training given back is not held');
SELECT * FROM finish();
