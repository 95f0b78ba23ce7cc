-- certificate_result: one row per item, certified or not.
\ir fixture.psql
SELECT plan(5);
SELECT results_eq(
  $$ SELECT item_id, source, split, label, predicted, radius, abstained, correct, n_a
       FROM rrcm.certificate_result WHERE run_id = 1 AND sigma = 0.25 ORDER BY item_id $$,
  $$ VALUES (11::bigint, 'zero.png', 'heldout', 0, 0, 0.3::double precision, false, true, 10),
            (12, 'one.png', 'heldout', 1, 1, 0.1, false, true, 9),
            (13, 'two.png', 'heldout', 2, NULL, NULL, true, false, 5),
            (14, 'three.png', 'train', 0, 1, 0.5, false, false, 10) $$,
  'certified, abstained and wrong images, with where they came from');
SELECT results_eq(
  $$ SELECT item_id, state::text, abstained, radius
       FROM rrcm.certificate_result WHERE run_id = 1 AND sigma = 1 AND state <> 'certified' ORDER BY item_id $$,
  $$ VALUES (22::bigint, 'open', NULL::boolean, NULL::double precision), (23, 'claimed', NULL, NULL), (24, 'held', NULL, NULL) $$,
  'without a certificate, and while it is held, an item has no radius');
SELECT is((SELECT count(*) FROM rrcm.certificate_result), 10::bigint, 'every item of every run is there once');
SELECT is(
  (SELECT count(*) FROM rrcm.certificate_result WHERE abstained AND radius IS NOT NULL), 0::bigint,
  'an abstention has no radius');
DELETE FROM rrcm.dataset_image WHERE image_index = 0;
SELECT is(
  (SELECT count(*) FROM rrcm.certificate_result WHERE source IS NULL), 4::bigint,
  'an image that the image set lost still has its certificates');
SELECT * FROM finish();
