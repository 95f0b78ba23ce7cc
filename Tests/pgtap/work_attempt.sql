-- work_attempt: failed attempts with the names of what they were at.
\ir fixture.psql
SELECT plan(2);
INSERT INTO rrcm.failed_attempt (run_id, item_id, unit, worker_id, epoch, outcome, alone, error)
VALUES (1, 22, 2, 2, 1, 'died', false, 'bee ended'),
       (2, NULL, NULL, 1, 2, 'failed', true, 'not a number');
SELECT results_eq(
  $$ SELECT run_name, image_index, sigma, unit, worker_name, epoch, outcome::text, alone, error
       FROM rrcm.work_attempt ORDER BY run_id $$,
  $$ VALUES ('half', 1, 1::numeric, 2, 'bee', 1, 'died', false, 'bee ended'),
            ('teacher', NULL, NULL, NULL, 'ant', 2, 'failed', true, 'not a number') $$,
  'an item''s attempt names image and sigma, a training''s neither');
DELETE FROM rrcm.item WHERE item_id = 22;
SELECT is((SELECT count(*) FROM rrcm.work_attempt), 1::bigint, 'attempts go with their item');
SELECT * FROM finish();
