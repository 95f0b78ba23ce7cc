-- certificate_detail: what certificates of some modes say besides certificate_result.
\ir fixture.psql
SELECT plan(2);
UPDATE rrcm.certificate SET runner_up_votes = 3, p_upper = 0.4 WHERE item_id IN (11, 24);
SELECT results_eq(
  $$ SELECT item_id, stopped_at_unit, targets_reached, runner_up_votes, p_upper, p_value
       FROM rrcm.certificate_detail WHERE item_id IN (11, 12, 24) ORDER BY item_id $$,
  $$ VALUES (11::bigint, NULL::int, NULL::numeric[], 3, 0.4::double precision, NULL::double precision),
            (12, NULL, NULL, NULL, NULL, NULL) $$,
  'a row per certificate that stands, with nothing where the mode says nothing');
SELECT throws_ok(
  $$ UPDATE rrcm.certificate SET p_value = 2 WHERE item_id = 11 $$, '23514', NULL, 'a p-value is a probability');
SELECT * FROM finish();
