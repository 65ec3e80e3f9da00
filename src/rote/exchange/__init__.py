"""What other people's tools write and read: the logs of Inspect and the results of lm-evaluation-harness.

`inspect_logs` and `lm_eval_results` write the records of a run as those tools would have; `sample_logs` reads what they
wrote, of anybody's task, as one value for each question and metric.
"""
