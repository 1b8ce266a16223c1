"""A reporter that says nothing."""


class Silent:
    def step(self, step):
        pass

    def log(self, step, scalars):
        pass

    def say(self, message):
        pass
