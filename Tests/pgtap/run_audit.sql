-- run_audit: what was computed again of each certification run, and what came of it.
\ir fixture.psql
SELECT plan(4);
UPDATE rrcm.certification SET audit_share = 0.25 WHERE run_id = 1;
INSERT INTO rrcm.audit (run_id, item_id, phase, chunk, cause, state, poster_id, disputed_at, decided_at)
VALUES (1, 11, 0, 0, 'worker', 'due', 1, NULL, NULL),
       (1, 11, 1, 0, 'drawn', 'due', 1, NULL, NULL),
       (1, 11, 1, 1, 'drawn', 'agreed', 2, NULL, now()),
       (1, 12, 1, 0, 'drawn', 'due', 1, NULL, NULL),
       (1, 13, 1, 0, 'drawn', 'self_audited', 1, NULL, now()),
       (1, 14, 1, 0, 'drawn', 'void', 1, NULL, now()),
       (1, 24, 1, 2, 'disagreement', 'disputed', 1, now(), NULL),
       (5, 51, 0, 0, 'drawn', 'undecided', 1, now(), now());
INSERT INTO rrcm.chunk_count_void (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms, posted_at, reason)
VALUES (14, 1, 0, 4, '{0}', '{4}', 1, 40, now(), 'by hand'), (14, 1, 1, 4, '{0}', '{4}', 1, 40, now(), 'by hand');
INSERT INTO rrcm.certificate_superseded (item_id, reason, certificate) VALUES (14, 'by hand', '{}');
SELECT results_eq(
  $$ SELECT run_id, audit_share, due, disputed, agreed, self_audited, undecided, provisional, voided, superseded
       FROM rrcm.run_audit ORDER BY run_id $$,
  $$ VALUES (1::bigint, 0.25::double precision, 3::bigint, 1::bigint, 1::bigint, 1::bigint, 0::bigint, 2::bigint, 2::bigint, 1::bigint),
            (4, 0, 0, 0, 0, 0, 0, 0, 0, 0),
            (5, 0, 0, 0, 0, 0, 1, 0, 0, 0) $$,
  'audits by state; two certificates have open audits, a held item has none');
SELECT results_eq(
  'SELECT item_id FROM rrcm.certificate_result WHERE provisional ORDER BY item_id', 'VALUES (11::bigint), (12)',
  'a certificate is provisional while an audit of it is open');
SELECT is(
  (SELECT provisional FROM rrcm.certificate_result WHERE item_id = 22), NULL, 'what has no certificate is not provisional');
SELECT throws_ok(
  $$ INSERT INTO rrcm.audit (run_id, item_id, phase, chunk, cause, poster_id) VALUES (1, 11, 0, 0, 'drawn', 1) $$, '23505', NULL,
  'a chunk has one audit that counts');
SELECT * FROM finish();
