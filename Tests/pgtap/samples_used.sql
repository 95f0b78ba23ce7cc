-- samples_used: what stopping early saved and cost.
\ir fixture.psql
SELECT plan(2);
INSERT INTO rrcm.run (run_id, kind, name, state, spec, seed, priority, dataset_digest, checkpoint_digest, image_indices,
                      numerics_ids, software)
OVERRIDING SYSTEM VALUE
VALUES (90, 'certify', 'early', 'running', '{}', 7, 0, repeat('d', 64), repeat('c', 64), '{0}', '{A}', '1.0');
INSERT INTO rrcm.certification (run_id, mode, n0, n, alpha, sampler, chunk_samples, targets, looks)
VALUES (90, 'sequential', 2, 40, 0.001, 'gaussian', 4, '{0.5}', '{1,2,3,4,5,6,7,8,9,10}');
INSERT INTO rrcm.certification_sigma (run_id, sigma, grid_m, slack) VALUES (90, 0.25, 0, 0);
INSERT INTO rrcm.item (item_id, run_id, image_index, sigma, label, state, unit_count, next_unit, target_units)
OVERRIDING SYSTEM VALUE
VALUES (91, 90, 0, 0.25, 0, 'certified', 11, 4, 5);
INSERT INTO rrcm.certificate
  (item_id, mode, top_class, n_a, n0, n, alpha, slack, p_lower, abstained, predicted, radius, correct, numerics_id,
   compute_seconds, stopped_at_unit, targets_reached)
VALUES (91, 'sequential', 0, 8, 2, 8, 0.001, 0, 0.7, false, 0, 0.5, true, 'A', 1, 3, '{0.5}');
INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms)
VALUES (91, 0, 0, 2, '{0}', '{2}', 1, 1), (91, 1, 0, 4, '{0}', '{4}', 1, 1), (91, 1, 1, 4, '{0}', '{4}', 1, 1),
       (91, 1, 2, 4, '{0}', '{4}', 1, 1);
SELECT results_eq(
  $$ SELECT sigma, finished, used, beyond, planned FROM rrcm.samples_used WHERE run_id = 90 $$,
  $$ VALUES (0.25::numeric, 1::bigint, 10::bigint, 4::bigint, 42::bigint) $$,
  'votes beyond the deciding look are counted as such, and draws never made as saved');
SELECT is(
  (SELECT count(*) FROM rrcm.samples_used u JOIN rrcm.run r USING (run_id) WHERE r.state = 'submitted'), 0::bigint,
  'a run without certificates has no row');
SELECT * FROM finish();
