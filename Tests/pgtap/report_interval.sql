-- report_interval: exact binomial intervals over images; values of scipy's beta and binomial distributions.
\ir fixture.psql
\ir imported.psql
SELECT plan(6);
SELECT results_eq(
  $$ SELECT r, certified::int, round(interval_low::numeric, 9), round(interval_high::numeric, 9), false_certificates, certain_low
       FROM rrcm.report_interval WHERE origin = 'fleet' AND origin_id = 1 AND sigma = 0.25 AND r IN (0.10, 0.20, 0.50) ORDER BY r $$,
  $$ VALUES (0.10, 2, 0.067585986, 0.932414014, 1, 0.25::double precision),
            (0.20, 1, 0.006309463, 0.805879550, 1, 0), (0.50, 0, 0, 0.602364636, 1, 0) $$,
  'a finished level');
SELECT results_eq(
  $$ SELECT round(interval_low::numeric, 9), round(interval_high::numeric, 9)
       FROM rrcm.report_interval WHERE origin = 'fleet' AND origin_id = 1 AND sigma = 1 AND r = 0 $$,
  $$ VALUES (0.006309463, 1::numeric) $$, 'unfinished images count wrong below and right above');
SELECT results_eq(
  $$ SELECT round(rrcm.binomial_lower(k, n, 0.025)::numeric, 10), round(rrcm.binomial_upper(k, n, 0.025)::numeric, 10)
       FROM (VALUES (407, 500), (0, 500), (500, 500)) AS t (k, n) $$,
  $$ VALUES (0.7770718176, 0.8471649082), (0, 0.0073506101), (0.9926493899, 1::numeric) $$,
  'Clopper-Pearson bounds of published counts');
SELECT results_eq(
  $$ SELECT rrcm.false_certificates(m, a, 0.001) FROM (VALUES (1, 500, 0.001), (2, 10000, 0.001), (3, 50000, 0.001), (4, 500, 0.05)) AS t (i, m, a) ORDER BY i $$,
  $$ VALUES (4), (21), (73), (41) $$, 'the allowance is the exact binomial quantile');
SELECT is(round(rrcm.binomial_tail(10, 10, 0.5)::numeric, 15), round(1 / 1024.0, 15), 'ten of ten fair coins');
SELECT is((SELECT count(*) FROM rrcm.report_interval), (SELECT count(*) FROM rrcm.report_accuracy),
  'a row per row of report_accuracy');
SELECT * FROM finish();
