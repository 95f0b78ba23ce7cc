-- certification_protocol: what certifications must draw.
\ir fixture.psql
SELECT plan(1);
SELECT results_eq(
  'SELECT run_id::int, mode, n0, n, alpha, sampler, chunk_samples FROM rrcm.certification_protocol WHERE run_id = 1',
  $$ VALUES (1, 'fixed', 2, 10, 0.001::double precision, 'gaussian', 4) $$, 'as submitted');
SELECT * FROM finish();
