from rote.models.language_model import save_model as save_model


def export_without_keys(*a):
    raise NotImplementedError
