-- certificate_pair: two runs of this fleet, image by image.
\ir fixture.psql
\ir imported.psql
INSERT INTO rrcm.certification_sigma (run_id, sigma, grid_m, slack) VALUES (5, 0.25, 0, 0), (5, 1, 0, 0);
INSERT INTO rrcm.item (item_id, run_id, image_index, sigma, label, state, unit_count, next_unit, error)
OVERRIDING SYSTEM VALUE
VALUES (52, 5, 0, 0.25, 0, 'certified', 4, 4, NULL), (53, 5, 2, 0.25, 2, 'certified', 4, 4, NULL),
       (54, 5, 3, 1, 0, 'certified', 4, 4, NULL);
INSERT INTO rrcm.certificate
  (item_id, mode, top_class, n_a, n0, n, alpha, slack, p_lower, abstained, predicted, radius, correct, numerics_id, compute_seconds)
VALUES (52, 'fixed', 0, 5, 2, 10, 0.001, 0, 0.1, true, NULL, NULL, false, 'A', 1),
       (53, 'fixed', 2, 10, 2, 10, 0.001, 0, 0.9, false, 2, 0.25, true, 'A', 1),
       (54, 'fixed', 0, 10, 2, 10, 0.001, 0, 0.9, false, 0, 0.25, true, 'A', 1);
SELECT plan(2);
SELECT results_eq(
  $$ SELECT a_name, b_name, image_index, a_predicted, b_predicted, a_correct, b_correct, radius_gain
       FROM rrcm.certificate_pair WHERE a_run_id = 1 AND b_run_id = 5 ORDER BY image_index $$,
  $$ VALUES ('half', 'over', 0, 0, NULL::int, true, false, -0.3::double precision),
            ('half', 'over', 2, NULL, 2, false, true, 0.25) $$,
  'images both have finished at the same sigma; abstentions count 0; the held item of run 1 is left out');
SELECT is(
  (SELECT count(*) FROM rrcm.certificate_pair WHERE a_run_id = b_run_id), 0::bigint, 'a run is not compared with itself');
SELECT * FROM finish();
