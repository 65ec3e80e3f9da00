"""From a table to a report: teach, examine, save, report; steps that are finished are not done again."""
